"""Convolutions as matrix products against torch's own, and a network of them against torchvision's."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from dcodr.models.convolution import SMALL, MatrixConv2d, as_matrix_products


def pair(n_in: int, n_out: int, size: int, stride: int) -> tuple[nn.Conv2d, MatrixConv2d]:
    torch.manual_seed(0)
    plain = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return plain, MatrixConv2d.like(plain)


def images(*shape: int) -> torch.Tensor:
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    return made.to(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("side", [1, 2, 3, SMALL, 2 * SMALL, 2 * SMALL + 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_results_and_gradients_are_the_plain_ones(size: int, stride: int, side: int) -> None:
    # Eight channels: for fewer, torch's own gradient of a kernel of one pixel with stride 2 writes past its
    # memory (uxlfoundation/oneDNN issue 6035). No network here has such a layer.
    plain, matrix = pair(8, 10, size, stride)
    x = images(3, 8, side, side)
    ours, theirs = matrix(x), plain(x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    gradient = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(2))
    found = torch.autograd.grad(ours, (x, matrix.weight), gradient)
    for one, other in zip(found, torch.autograd.grad(theirs, (x, plain.weight), gradient), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_maps_need_not_be_square() -> None:
    plain, matrix = pair(4, 4, 3, 2)
    x = images(2, 4, 9, 5)
    torch.testing.assert_close(matrix(x), plain(x), rtol=0, atol=1e-6)


def test_autocast_computes_in_bfloat16_and_gives_float32_gradients() -> None:
    plain, matrix = pair(16, 16, 3, 1)
    x = images(4, 16, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = matrix(x), plain(x)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)
    one, other = (torch.autograd.grad(y.float().square().sum(), x)[0] for y in (ours, theirs))
    assert one.dtype == torch.float32
    torch.testing.assert_close(one, other, rtol=0.05, atol=0.05)


def test_a_network_keeps_its_parameters_and_names() -> None:
    network = resnet50(num_classes=8)
    before = dict(network.named_parameters())
    as_matrix_products(network)
    assert {name: id(value) for name, value in network.named_parameters()} == {
        name: id(value) for name, value in before.items()
    }
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [type(module) for module in convolutions] == [nn.Conv2d] + [MatrixConv2d] * 52


def test_a_residual_network_trains_as_torchvisions() -> None:
    torch.manual_seed(0)
    plain = resnet50(num_classes=8).double()
    ours = resnet50(num_classes=8).double()
    ours.load_state_dict(plain.state_dict())
    as_matrix_products(ours)
    x = torch.rand(4, 3, 64, 64, dtype=torch.float64).to(memory_format=torch.channels_last)
    for network in (plain, ours):
        network(x).square().mean().backward()
    pairs = zip(plain.parameters(), ours.parameters(), strict=True)
    assert all(torch.allclose(one.grad, other.grad, rtol=1e-6, atol=1e-9) for one, other in pairs)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, bias=False),
        nn.Conv2d(4, 4, 2, padding=1, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, dilation=2, bias=False),
        nn.Conv2d(4, 4, 3, stride=(1, 2), padding=1, bias=False),
    ],
)
def test_other_convolutions_are_refused(conv: nn.Conv2d) -> None:
    with pytest.raises(ValueError, match=r"cannot replace .* with matrix products"):
        MatrixConv2d.like(conv)
