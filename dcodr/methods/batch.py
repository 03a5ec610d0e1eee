"""What a method is given at each step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from dcodr.augmentations.views import Augment


@dataclass(frozen=True)
class Draws:
    """The random draws of a method for a batch: known beforehand, so that they can be drawn ahead.

    Attributes:
        views: How many views it takes of the batch.
        noise: The shapes of the noise that it takes after them, in order.
    """

    views: int = 0
    noise: tuple[tuple[int, ...], ...] = ()

    def of(self, images: tuple[int, int, int], augment: Augment, random: Generator) -> list[Any]:
        """Draw from a CPU generator what a batch of ``images``, (number, height, width), needs, in order."""
        views = [augment.draw(images, random) for _ in range(self.views)]
        return [*views, *(torch.randn(shape, generator=random) for shape in self.noise)]


@dataclass(frozen=True)
class Batch:
    """Images, laid out domain by domain, equally many of each; for methods that shuffle in any order.

    Whatever a method draws at random it takes from the batch, in the order of its :class:`Draws`: a batch and
    all that is drawn for it depend on the seed and the epoch alone, so that a resumed training goes on
    exactly.

    Attributes:
        anchors: ``(B, 3, H, W)`` float32 images in [0, 1].
        domain: ``(B,)`` int64 domain labels.
        index: ``(B,)`` int64 positions of the images in the train split.
        augment: Makes a view of every image of what was drawn.
        drawn: What was drawn, on the anchors' device.
    """

    anchors: Tensor
    domain: Tensor
    index: Tensor
    augment: Augment
    drawn: Iterator[Any]

    def views(self) -> Tensor:
        """``(B, 3, H, W)`` float32, an augmented view of every anchor, anew at each call."""
        with torch.autocast(self.anchors.device.type, enabled=False):
            return self.augment.apply(self.anchors, self._next())

    def noise(self, *shape: int) -> Tensor:
        """Standard normal float32 numbers of a shape, on the anchors' device.

        Raises:
            ValueError: If the method's :class:`Draws` say another shape.
        """
        noise: Tensor = self._next()
        if noise.shape != shape:
            raise ValueError(f"noise of shape {tuple(noise.shape)} was drawn, {shape} is asked for")
        return noise

    def _next(self) -> Any:
        drawn = next(self.drawn, None)
        if drawn is None:
            raise ValueError("the method takes more from the batch than its draws say")
        return drawn
