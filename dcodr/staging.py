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
    """Views of one block of bytes on the device."""
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    padded = [-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes]
    block = torch.empty(sum(padded), dtype=torch.uint8, pin_memory=True)
    for tensor, size, place in zip(tensors, sizes, block.split(padded), strict=True):
        place[:size].view(tensor.dtype).copy_(tensor.flatten())
    there = block.to(device, non_blocking=True)
    return [
        place[:size].view(tensor.dtype).view(tensor.shape)
        for tensor, size, place in zip(tensors, sizes, there.split(padded), strict=True)
    ]
