"""What a method is given at each step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Batch:
    """Images, laid out domain by domain, equally many of each; for methods that shuffle in any order.

    Whatever a method draws at random it draws through the batch, in the same order at every step: a batch and
    all that is drawn from it depend on the seed and the epoch alone, so that a resumed training goes on
    exactly.

    Attributes:
        anchors: ``(B, 3, H, W)`` float32 images in [0, 1].
        domain: ``(B,)`` int64 domain labels.
        index: ``(B,)`` int64 positions of the images in the train split.
        augment: Makes a view of every image with a CPU generator.
        random: The epoch's CPU generator.
    """

    anchors: Tensor
    domain: Tensor
    index: Tensor
    augment: Callable[[Tensor, Generator], Tensor]
    random: Generator

    def views(self) -> Tensor:
        """``(B, 3, H, W)`` float32, an augmented view of every anchor, anew at each call."""
        with torch.autocast(self.anchors.device.type, enabled=False):
            return self.augment(self.anchors, self.random)

    def noise(self, *shape: int) -> Tensor:
        """Standard normal float32 numbers of a shape, on the anchors' device."""
        return torch.randn(shape, generator=self.random).to(self.anchors.device, non_blocking=True)
