"""Geometric changes, each with one parameter per image.

Images are ``(B, 3, H, W)`` float32 in [0, 1]; so are the results. Boxes are ``(B, 4)`` int64 in pixels:
top, left, height, width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def flip_horizontal(images: Tensor) -> Tensor:
    """Mirror left and right."""
    return images.flip(3)


def flip_vertical(images: Tensor) -> Tensor:
    """Mirror top and bottom."""
    return images.flip(2)


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Set the box of every image to black; a box of height or width 0 erases nothing."""
    top, left, height, width = boxes[:, :, None].unbind(1)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    inside_rows = (rows >= top) & (rows < top + height)
    inside_columns = (columns >= left) & (columns < left + width)
    return images * ~(inside_rows[:, None, :, None] & inside_columns[:, None, None, :])


def crop(images: Tensor, boxes: Tensor) -> Tensor:
    """Enlarge the box of every image to the size of the image, bilinearly.

    Pixels outside the box do not affect the result: samples beyond the centres of its outermost pixels take
    the values of those pixels.

    Args:
        images: ``(B, 3, H, W)``.
        boxes: ``(B, 4)``, inside the images, at least one pixel high and wide.

    Returns:
        ``(B, 3, H, W)``.
    """
    top, left, height, width = boxes.unbind(1)
    y = _box_positions(top, height, images.shape[2])
    x = _box_positions(left, width, images.shape[3])
    return _sample(images, x[:, None, :], y[:, :, None], mode="bilinear").clamp_(0.0, 1.0)


def _box_positions(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return positions ``(B, size)`` of ``size`` steps over the box, in pixels from the image's centre."""
    steps = (torch.arange(size, device=start.device) + 0.5) / size
    offset = torch.clamp_min(steps * length[:, None] - 0.5, 0.0)
    return torch.minimum(offset, length[:, None] - 1.0) + start[:, None] - (size - 1) / 2


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate clockwise about the centre, with nearest-neighbour sampling and a white background.

    Args:
        images: ``(B, 3, H, W)``.
        degrees: ``(B,)``.

    Returns:
        ``(B, 3, H, W)``.
    """
    y, x = (torch.arange(size, device=images.device) - (size - 1) / 2 for size in images.shape[2:])
    y = y[:, None]
    angle = torch.deg2rad(degrees)[:, None, None]
    cosine, sine = angle.cos(), angle.sin()
    # `_sample` fills with 0. Sampling the negative makes the background white.
    return 1 - _sample(1 - images, cosine * x + sine * y, cosine * y - sine * x, mode="nearest")


def _sample(images: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    """Sample images at positions in pixels from their centre, broadcast to ``(B, H, W)``; outside is 0."""
    height, width = images.shape[2:]
    size = (len(images), height, width)
    planes = torch.stack(((x * (2 / width)).expand(size), (y * (2 / height)).expand(size)), dim=1)
    grid = planes.permute(0, 2, 3, 1)  # a view: interleaving x and y would cost 12 us for a 64x64 image
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)
