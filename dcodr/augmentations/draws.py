"""Random parameters of augmentations, one set per image, drawn on the CPU.

A draw takes the shape of a batch, ``(n, height, width)``, and a CPU generator, and returns the parameter
tensors that a kernel takes after its images. The same seed gives the same parameters for every device.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

BatchShape = tuple[int, int, int]
Draw = Callable[[BatchShape, Generator], tuple[Any, ...]]

_ATTEMPTS = 10


def no_parameters(shape: BatchShape, generator: Generator) -> tuple[Tensor, ...]:
    """Draw nothing, for a kernel that takes only images."""
    return ()


def constant(value: float) -> Draw:
    """Give every image the same value, ``(n,)``."""
    return lambda shape, generator: (torch.full((shape[0],), value),)


def uniform(low: float, high: float) -> Draw:
    """Draw a value in ``[low, high)`` for every image, ``(n,)``."""
    return lambda shape, generator: (_uniform((shape[0],), low, high, generator),)


def strength_and_seed(low: float, high: float) -> Draw:
    """Draw a strength in ``[low, high)`` for every image, ``(n,)``, and one seed, an ``int``."""

    def draw(shape: BatchShape, generator: Generator) -> tuple[Any, ...]:
        strength = _uniform((shape[0],), low, high, generator)
        return strength, int(torch.randint(2**31, (1,), generator=generator))

    return draw


def hue_turn(low: float, high: float) -> Draw:
    """Draw a turn in ``low..high`` or ``-high..-low``, each with probability 1/2, ``(n,)``."""

    def draw(shape: BatchShape, generator: Generator) -> tuple[Tensor, ...]:
        (size,) = uniform(low, high)(shape, generator)
        return (torch.where(_chance(shape[0], 0.5, generator), size, -size),)

    return draw


def crop_boxes(min_scale: float) -> Draw:
    """Draw boxes as ``torchvision.transforms.RandomResizedCrop`` does, with its default ratios 3/4..4/3.

    Args:
        min_scale: Least share of the image's area; the greatest is 1.

    Returns:
        A draw of ``(n, 4)`` int64: top, left, height, width.
    """
    low, high = ratio = (3 / 4, 4 / 3)
    # torchvision tries ten boxes and falls back to the largest central box of an allowed ratio.

    def draw(shape: BatchShape, generator: Generator) -> tuple[Tensor, ...]:
        _, height, width = shape
        fallback = torch.tensor([min(height, round(width / low)), min(width, round(height * high))])
        heights, widths = _areas(shape, (min_scale, 1.0), ratio, generator)
        fits = (heights >= 1) & (widths >= 1) & (heights <= height) & (widths <= width)
        size, found = _first_fit(heights, widths, fits)
        size = torch.where(found, size, fallback)
        room = torch.tensor([height, width]) - size
        corner = torch.where(found, _corner(room, generator), room // 2)
        return (torch.cat((corner, size), dim=1),)

    return draw


def erase_boxes(max_area: float) -> Draw:
    """Draw boxes as ``torchvision.transforms.RandomErasing`` does, with its default ratios 0.3..3.3.

    Args:
        max_area: Greatest share of the image's area; the least is 0.02.

    Returns:
        A draw of ``(n, 4)`` int64: top, left, height, width. Height and width are 0 if no box fitted.
    """

    def draw(shape: BatchShape, generator: Generator) -> tuple[Tensor, ...]:
        _, height, width = shape
        heights, widths = _areas(shape, (0.02, max_area), (0.3, 3.3), generator)
        fits = (heights < height) & (widths < width)
        size, found = _first_fit(heights, widths, fits)
        size = size * found
        corner = _corner(torch.tensor([height, width]) - size, generator)
        return (torch.cat((corner, size), dim=1),)

    return draw


def simsiam_parameters(shape: BatchShape, generator: Generator) -> tuple[Tensor, ...]:
    """Draw the parameters of :func:`dcodr.augmentations.views.simsiam`.

    A skipped step gets the parameter value that changes nothing.

    Returns:
        ``(n, 4)`` crop boxes; then, each ``(n,)``: a flag for mirroring (probability 0.5); factors of
        brightness, contrast and saturation, 0.6..1.4, and turn of the hue, -0.1..0.1 (all four together
        with probability 0.3); a flag for gray (probability 0.2); sigma of the blur, 1..2 (probability 0.2).
    """
    n = shape[0]
    (boxes,) = crop_boxes(min_scale=0.6)(shape, generator)
    mirrored = _chance(n, 0.5, generator)
    jittered = _chance(n, 0.3, generator)
    brightness, contrast, saturation = (
        torch.where(jittered, _uniform((n,), 0.6, 1.4, generator), 1.0) for _ in range(3)
    )
    hue = torch.where(jittered, _uniform((n,), -0.1, 0.1, generator), 0.0)
    gray = _chance(n, 0.2, generator)
    sigma = torch.where(_chance(n, 0.2, generator), _uniform((n,), 1.0, 2.0, generator), 1e-3)
    return boxes, mirrored, brightness, contrast, saturation, hue, gray, sigma


def _uniform(size: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    # `rand` is below 1, so the upper end is excluded.
    return torch.rand(size, generator=generator) * (high - low) + low


def _chance(n: int, probability: float, generator: Generator) -> Tensor:
    return torch.rand(n, generator=generator) < probability


def _areas(
    shape: BatchShape, scale: tuple[float, float], ratio: tuple[float, float], generator: Generator
) -> tuple[Tensor, Tensor]:
    """Draw heights and widths of ten boxes per image, ``(n, 10)``; area and log ratio are uniform."""
    # torchvision's definition: area = height * width, ratio = width / height.
    n, height, width = shape
    area = height * width * _uniform((n, _ATTEMPTS), *scale, generator)
    stretch = _uniform((n, _ATTEMPTS), math.log(ratio[0]), math.log(ratio[1]), generator).exp()
    return (area / stretch).sqrt().round().long(), (area * stretch).sqrt().round().long()


def _first_fit(heights: Tensor, widths: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first fitting height and width of every image, ``(n, 2)``, and a flag for it, ``(n, 1)``."""
    first = fits.int().argmax(dim=1, keepdim=True)  # of equal values the first; 0 if none fits
    size = torch.cat((heights.gather(1, first), widths.gather(1, first)), dim=1)
    return size, fits.any(dim=1, keepdim=True)


def _corner(room: Tensor, generator: Generator) -> Tensor:
    """Draw a corner uniformly in ``0..room``, for the room ``(n, 2)`` that a box leaves."""
    return (torch.rand(room.shape, generator=generator) * (room + 1)).long()
