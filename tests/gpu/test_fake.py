"""The pretended GPU refuses what a real one refuses."""

import pytest
import torch
from torch import nn

from tests.gpu.fake import CUDA, FakeGPU

pytestmark = pytest.mark.usefixtures("gpu")


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.cuda.get_per_process_memory_fraction(torch.device("cuda")),
        lambda: torch.cuda.set_per_process_memory_fraction(0.5, torch.device("cuda")),
        lambda: torch.cuda.set_per_process_memory_fraction(2.0),
    ],
)
def test_values_are_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"specified index|Allowed range"):
        call()


def test_a_share_has_to_be_a_float() -> None:
    with pytest.raises(TypeError, match="must be `float`"):
        torch.cuda.set_per_process_memory_fraction(1)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.cuda.mem_get_info(torch.device("cuda", 1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.ones(3, device=CUDA) + torch.ones(3),
        lambda: nn.Linear(3, 2).to(CUDA)(torch.ones(1, 3)),
        lambda: torch.ones(3).index_select(0, torch.zeros(2, dtype=torch.int64, device=CUDA)),
        lambda: torch.ones(3, device=CUDA).add_(torch.ones(3)),
    ],
)
def test_devices_must_not_be_mixed(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RuntimeError, match="device"):
        call()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError):
        torch.ones(3, 2, device=CUDA) @ torch.ones(3, 2, device=CUDA)


def test_gradients_have_the_shapes_and_the_device_of_what_they_are_of() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))
    network(torch.ones(2, 3, 8, 8))
    network = network.to(CUDA)
    loss = (network(torch.ones(2, 3, 8, 8, device=CUDA)) * torch.ones(2, device=CUDA)).sum()
    loss.backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in network.parameters())
    assert all(p.grad is not None and p.grad.device == CUDA for p in network.parameters())
    (of_loss,) = torch.autograd.grad(
        network(torch.ones(2, 3, 8, 8, device=CUDA)).mean(), [network.get_parameter("0.weight")]
    )
    assert of_loss.shape == (4, 3, 3, 3)


def test_waiting_is_noticed(gpu: FakeGPU) -> None:
    there = torch.ones(3, device=CUDA)
    pinned = torch.ones(3).pin_memory()
    torch.cuda.set_sync_debug_mode("error")
    pinned.to(CUDA, non_blocking=True)
    for wait in (lambda: there.sum().item(), lambda: there.cpu(), lambda: pinned.to(CUDA), there.nonzero):
        with pytest.raises(RuntimeError, match="synchronizing"):
            wait()
    assert [copy.pinned for copy in gpu.copies] == [True, True]
    assert [copy.waits for copy in gpu.copies] == [False, True]


def test_a_network_can_be_moved_twice() -> None:
    network = nn.Conv2d(3, 4, 3).to(CUDA).to(memory_format=torch.channels_last).to(CUDA)
    assert network.weight.device == CUDA
    assert network.weight.is_contiguous(memory_format=torch.channels_last)
