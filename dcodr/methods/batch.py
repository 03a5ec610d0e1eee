"""The input of a method at each step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from dcodr.augmentations.views import Augment


@dataclass(frozen=True)
class Draws:
    """The random draws of a method for a batch. They are known beforehand, so they can be drawn ahead.

    Attributes:
        views: Number of views of the batch.
        noise: The shapes of the noise that follows the views, in order.
    """

    views: int = 0
    noise: tuple[tuple[int, ...], ...] = ()

    def of(self, images: tuple[int, int, int], augment: Augment, random: Generator) -> list[Any]:
        """Draw for a batch of ``images``, (number, height, width), from a CPU generator, in order."""
        views = [augment.draw(images, random) for _ in range(self.views)]
        return [*views, *(torch.randn(shape, generator=random) for shape in self.noise)]


@dataclass(frozen=True)
class Batch:
    """Images in domain-by-domain layout, equally many of each; in any order for methods that shuffle.

    A method takes all its random draws from the batch, in the order of its :class:`Draws`. A batch and its
    draws depend only on the seed and the epoch, so a resumed training continues exactly.

    Attributes:
        anchors: ``(B, 3, H, W)`` float32 images in [0, 1].
        domain: ``(B,)`` int64 domain labels.
        index: ``(B,)`` int64 positions of the images in the train split.
        augment: Makes views from drawn parameters.
        drawn: The draws, on the anchors' device.
    """

    anchors: Tensor
    domain: Tensor
    index: Tensor
    augment: Augment
    drawn: Iterator[Any]

    def views(self) -> Tensor:
        """Return an augmented view of every anchor, ``(B, 3, H, W)`` float32, new at each call."""
        # The views are float32 at every precision of the training.
        with torch.autocast(self.anchors.device.type, enabled=False):
            return self.augment.apply(self.anchors, self._next())

    def noise(self, *shape: int) -> Tensor:
        """Return standard normal float32 numbers of a shape, on the anchors' device.

        Raises:
            ValueError: If the method's :class:`Draws` announce another shape.
        """
        noise: Tensor = self._next()
        if noise.shape != shape:
            raise ValueError(f"noise of shape {tuple(noise.shape)} was drawn, but {shape} is requested")
        return noise

    def _next(self) -> Any:
        drawn = next(self.drawn, None)
        if drawn is None:
            raise ValueError("the method takes more draws from the batch than it announced")
        return drawn
