"""Gaussian blur with one width per image."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Blur by a truncated Gaussian, with the image mirrored at its edges as in torchvision.

    The few taps are added as shifted copies of the images, along the rows and then along the columns. On a
    CPU this is faster than a depthwise convolution, and every image can have its own width.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1], higher and wider than half the kernel.
        sigma: ``(B,)`` standard deviation in pixels, above 0; one that is far below 1 changes nothing.
        kernel_size: Number of taps in each direction, odd.

    Returns:
        ``(B, 3, H, W)`` in [0, 1].
    """
    distance = torch.arange(kernel_size // 2 + 1, device=images.device)
    taps = torch.exp(-0.5 * (distance / sigma[:, None]) ** 2)
    taps /= 2 * taps.sum(dim=1, keepdim=True) - 1
    return _smooth(_smooth(images, taps, dim=3), taps, dim=2).clamp_(0.0, 1.0)


def kernel_size_of(sigma: float) -> int:
    """Taps that reach two standard deviations, of ``sigma`` pixels, to each side, as the paper's 5 for 1."""
    return 2 * math.ceil(2 * sigma) + 1


def _smooth(images: Tensor, taps: Tensor, dim: int) -> Tensor:
    """Weight pixels along ``dim`` by ``taps``, ``(B, radius + 1)``, according to their distance."""
    radius, size = taps.shape[1] - 1, images.shape[dim]
    padding = (radius, radius, 0, 0) if dim == 3 else (0, 0, radius, radius)
    padded = F.pad(images, padding, mode="reflect")
    center, *sides = taps[:, :, None, None, None].unbind(1)
    result = images * center
    for distance, side in enumerate(sides, start=1):
        before = padded.narrow(dim, radius - distance, size)
        after = padded.narrow(dim, radius + distance, size)
        result.addcmul_(before + after, side)
    return result
