"""Many small tensors on their way to a device, in one copy."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_ALIGNMENT = 16


def mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Nested lists, tuples and dicts with every tensor in them changed.

    Args:
        tree: What is no list, tuple, dict or tensor stays as it is.
        change: Called once for each tensor, in order.
    """
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(branch, change) for branch in tree)
    if isinstance(tree, dict):
        return {key: mapped(branch, change) for key, branch in tree.items()}
    return tree


def staged(tree: Any, device: torch.device) -> Any:
    """Bring all tensors of a tree to a device; to a GPU by one copy from pinned memory that nobody waits for.

    Every copy has a fixed cost, and one from memory that is not pinned makes the CPU wait for it.

    Args:
        tree: As for :func:`mapped`, of CPU tensors.
        device: Where to.

    Returns:
        The same tree of tensors on the device; on the CPU the very tensors.
    """
    if device.type == "cpu":
        return tree
    tensors: list[Tensor] = []
    mapped(tree, lambda tensor: tensors.append(tensor) or tensor)  # type: ignore[func-returns-value]
    arrived = iter(_together(tensors, device))
    return mapped(tree, lambda tensor: next(arrived))


def _together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The tensors on a device, as parts of one block of bytes that was copied there."""
    size = sum(map(_room, tensors))
    block = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for part, tensor in zip(_parts(block, tensors), tensors, strict=True):
        part.copy_(tensor)
    return _parts(block.to(device, non_blocking=True), tensors)


def _parts(block: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """For each tensor its part of the block, in its type and shape."""
    parts = zip(torch.split(block, [_room(tensor) for tensor in tensors]), tensors, strict=True)
    return [part[: tensor.nbytes].view(tensor.dtype).view(tensor.shape) for part, tensor in parts]


def _room(tensor: Tensor) -> int:
    """Bytes of a tensor's part: every part begins where numbers of any type may."""
    return -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
