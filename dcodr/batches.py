"""The batches of a training, on its device."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcodr.augmentations import Augment
from dcodr.data.dataset import FactorDataset
from dcodr.methods.batch import Batch
from dcodr.sampler import BatchSampler

T = TypeVar("T")


class Batches:
    """The batches of any epoch.

    Nothing here waits for the device: positions and all that is random are drawn on the CPU, and copies to
    the device are queued.

    Args:
        data: The dataset. On the CPU its images stay where they are.
        train: ``(n,)`` positions of the images to train on.
        sampler: Draws positions in ``train``.
        augment: Makes views.
        device: Where batches go.
        resident: Whether the device holds all images, as uint8. If not, a batch is read while the one before
            it is trained on, and copied from pinned memory.
    """

    def __init__(
        self,
        data: FactorDataset,
        train: npt.NDArray[np.int64],
        sampler: BatchSampler,
        augment: Augment,
        device: torch.device,
        resident: bool,
    ) -> None:
        self.images = torch.from_numpy(data.images)
        if resident:
            self.images = self.images.to(device)
        self.domain = torch.from_numpy(data.domain).to(device)
        self.train = torch.from_numpy(train)
        self.sampler = sampler
        self.augment = augment
        self.device = device
        self.resident = resident

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.sampler)

    def of_epoch(self, epoch: int, seed: int) -> Iterator[Batch]:
        """The batches of an epoch: a function of the epoch and the seed alone."""
        self.sampler.set_epoch(epoch)
        random = torch.Generator().manual_seed(
            int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
        )
        batches = (self._batch(torch.from_numpy(positions), random) for positions in self.sampler)
        return batches if self.resident else _ahead(batches)

    def _batch(self, index: Tensor, random: torch.Generator) -> Batch:
        chosen = self.train[index]
        there = chosen.to(self.device, non_blocking=True)
        if self.resident:
            images = self.images.index_select(0, there)
        else:
            images = self.images.index_select(0, chosen)
            pinned = images.pin_memory() if self.device.type == "cuda" else images
            images = pinned.to(self.device, non_blocking=True)
        anchors = images.permute(0, 3, 1, 2).float().div_(255)
        index = index.to(self.device, non_blocking=True)
        return Batch(anchors, self.domain[there], index, self.augment, random)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in another thread while the one before is in use."""
    with ThreadPoolExecutor(1) as other:
        following = other.submit(next, items, None)
        while (item := following.result()) is not None:
            following = other.submit(next, items, None)
            yield item
