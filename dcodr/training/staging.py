"""Transfer of many small tensors to a device in one copy."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_ALIGNMENT = 16


def mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply a function to every tensor in nested lists, tuples and dicts, once each and in order.

    Values of other types stay unchanged.
    """
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(branch, change) for branch in tree)
    if isinstance(tree, dict):
        return {key: mapped(branch, change) for key, branch in tree.items()}
    return tree


def staged(tree: Any, device: torch.device) -> Any:
    """Move all tensors of a tree to a device; to a GPU by one asynchronous copy from pinned memory.

    Every copy has a fixed cost, and a copy from unpinned memory makes the CPU wait.

    Returns:
        The same tree with tensors on the device; on the CPU the tree itself.
    """
    if device.type == "cpu":
        return tree
    # The first pass collects the tensors, the second replaces them in the same order.
    tensors: list[Tensor] = []
    mapped(tree, lambda tensor: tensors.append(tensor) or tensor)  # type: ignore[func-returns-value]
    arrived = iter(together(tensors, device))
    return mapped(tree, lambda tensor: next(arrived))


def together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Copy tensors in main memory to a device as parts of one block of bytes.

    For a GPU the block is pinned and the copy does not block.
    """
    size = sum(map(_room, tensors))
    block = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for part, tensor in zip(_parts(block, tensors), tensors, strict=True):
        part.copy_(tensor)
    return _parts(block.to(device, non_blocking=True), tensors)


def _parts(block: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return for each tensor its part of the block, in its type and shape."""
    parts = zip(torch.split(block, [_room(tensor) for tensor in tensors]), tensors, strict=True)
    return [part[: tensor.nbytes].view(tensor.dtype).view(tensor.shape) for part, tensor in parts]


def _room(tensor: Tensor) -> int:
    """Return the bytes of a tensor's part, rounded up so that the next part is aligned for every type."""
    return -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
