"""Augmentations from outside: a function of a batch and of one strength for each image.

The function takes images ``(B, 3, H, W)``, float32 in [0, 1], and strengths ``(B,)``, float32 from 0 to 1,
and returns new images of the same shape. It may draw random numbers from torch's global generators, which are
seeded for every batch, so that a training can be repeated and resumed exactly.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dcodr import plugins
from dcodr.augmentations import draws
from dcodr.errors import UserError
from dcodr.seeding import seeded

Change = Callable[[Tensor, Tensor], Tensor]
"""Takes images and strengths, and returns changed images."""


class Outside:
    """An augmentation from outside, as the table of :mod:`dcodr.augmentations.views` needs it.

    Args:
        name: ``package.module:function``.

    Raises:
        UserError: If its package is not allowed, or has no such function.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._change = plugins.load(name, "augmentations")
        if not callable(self._change):
            raise UserError(f"augmentations: {name} is {type(self._change).__name__}; should be a function")

    def parts(self, low: float, high: float) -> tuple[draws.Draw, Callable[..., Tensor]]:
        """Return the draw of strengths between two bounds, and the kernel."""
        return draws.strength_and_seed(low, high), self._kernel

    def _kernel(self, images: Tensor, strength: Tensor, seed: int) -> Tensor:
        """Change images; random numbers follow from the seed, and the global generators stay as they were.

        Raises:
            UserError: If the function fails, or returns anything else than images of the same shape.
        """
        with seeded(seed, images.device):
            try:
                changed = self._change(images.clone(), strength)
            except Exception as error:  # a function of another author can raise anything
                raise UserError(f"augmentations: {self.name} failed: {plugins.told(error)}") from error
        if not isinstance(changed, Tensor) or changed.shape != images.shape:
            found = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise UserError(f"augmentations: {self.name} returned {found}; should be {tuple(images.shape)}")
        return changed.to(images).clamp(0.0, 1.0)


def by_strength(make: Callable[[float], Callable[[Any], Any]]) -> Change:
    """Make an augmentation from transforms of torchvision (``torchvision.transforms.v2``) or kornia.

    Example:
        >>> from torchvision.transforms import v2
        >>> jitter = by_strength(lambda strength: v2.ColorJitter(hue=strength / 2))
        >>> jitter(torch.rand(4, 3, 32, 32), torch.tensor([0.0, 0.2, 0.5, 1.0])).shape
        torch.Size([4, 3, 32, 32])

    Args:
        make: Returns the transform for a strength from 0 to 1. The transform gets one image at a time,
            ``(1, 3, H, W)``, and draws its own random numbers. On a GPU this waits for the device.

    Returns:
        An augmentation, to assign to a name of a module.
    """
    return partial(_one_by_one, make)


def _one_by_one(make: Callable[[float], Callable[[Any], Any]], images: Tensor, strength: Tensor) -> Tensor:
    values: list[float] = strength.tolist()
    return torch.cat([make(value)(image[None]) for value, image in zip(values, images, strict=True)])
