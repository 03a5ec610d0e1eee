"""Small tensors that travel together arrive as they were."""

import torch
from torch import Tensor

from dcodr.training.staging import mapped, staged, together

CPU = torch.device("cpu")
TENSORS = [
    torch.arange(5),
    torch.tensor([True, False, True]),
    torch.rand(3, 2),
    torch.empty(0, 4),
    torch.rand(4, 4).T,
    torch.tensor(2.5, dtype=torch.float64),
]


def test_what_goes_in_one_block_comes_out_the_same() -> None:
    for sent, arrived in zip(TENSORS, together(TENSORS, CPU), strict=True):
        assert torch.equal(sent, arrived)
        assert (sent.dtype, sent.shape) == (arrived.dtype, arrived.shape)


def test_a_tree_keeps_its_form() -> None:
    tree = [("crop", [torch.tensor(1), torch.tensor(2)]), {"a": torch.tensor(3), "b": None}]
    seen: list[Tensor] = []

    def doubled(tensor: Tensor) -> Tensor:
        seen.append(tensor)
        return tensor * 2

    assert mapped(tree, doubled) == [("crop", [2, 4]), {"a": 6, "b": None}]
    assert seen == [1, 2, 3]


def test_on_the_cpu_nothing_moves() -> None:
    tree = [(TENSORS[0], [TENSORS[1]])]
    assert staged(tree, CPU) is tree
