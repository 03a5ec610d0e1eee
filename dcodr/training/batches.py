"""Batches of a training, on its device."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcodr.augmentations.views import Augment
from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.build import shuffles
from dcodr.training.sampler import BatchSampler, DomainBatchSampler, RandomBatchSampler
from dcodr.training.staging import staged

T = TypeVar("T")

STAGED = 64
"""Number of steps whose positions and random draws go to a GPU in one copy, while earlier steps run."""


class Batches:
    """The batches of all epochs.

    Nothing here waits for the device: positions and random numbers are drawn on the CPU, and copies to the
    device are queued.

    Args:
        data: The dataset. On the CPU its images are not copied.
        train: ``(n,)`` positions of the images to train on.
        sampler: Draws positions in ``train``.
        augment: Makes views.
        draws: Returns the method's draws for a batch of a given number of images.
        device: Device of the batches.
        resident: True if the device holds all images, as uint8. Otherwise a batch is read during the training
            on the previous batch, and copied from pinned memory.

    Attributes:
        images: ``(N, H, W, 3)`` uint8, all images of the dataset, on the device if they are resident.
    """

    def __init__(
        self,
        data: FactorDataset,
        train: npt.NDArray[np.int64],
        sampler: BatchSampler,
        augment: Augment,
        draws: Callable[[int], Draws],
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
        self.draws = draws
        self.device = device
        self.resident = resident

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.sampler)

    def of_epoch(self, epoch: int, seed: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, which depend only on the epoch and the seed."""
        self.sampler.set_epoch(epoch)
        # A separate generator for every epoch: a resumed training needs no state of generators.
        random = torch.Generator().manual_seed(
            int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
        )
        blocks = self._blocks(random)
        # Draw the next block while the GPU trains on this one, and read the next batch during this step.
        if self.device.type == "cuda":
            blocks = _ahead(blocks)
        batches = (self._batch(*step) for block in blocks for step in block)
        return batches if self.resident else _ahead(batches)

    def _blocks(self, random: torch.Generator) -> Iterator[list[tuple[Tensor, Any]]]:
        """Yield blocks of steps: for each step its image positions on the CPU, and its data on the device."""
        size = STAGED if self.device.type == "cuda" else 1
        positions = iter(self.sampler)
        while block := [torch.from_numpy(some) for some in islice(positions, size)]:
            chosen = [self.train[index] for index in block]
            yield list(zip(chosen, staged(self._needed(block, chosen, random), self.device), strict=True))

    def _needed(self, block: list[Tensor], chosen: list[Tensor], random: torch.Generator) -> list[Any]:
        """Return for each step its positions in the train split and in the dataset, and its draws."""
        height, width = self.images.shape[1:3]
        return [
            (index, images, self.draws(len(index)).of((len(index), height, width), self.augment, random))
            for index, images in zip(block, chosen, strict=True)
        ]

    def _batch(self, chosen: Tensor, there: tuple[Tensor, Tensor, list[Any]]) -> Batch:
        index, images_there, drawn = there
        if self.resident:
            images = self.images.index_select(0, images_there)
        else:
            images = self.images.index_select(0, chosen)
            # The CPU would wait for a copy from unpinned memory.
            pinned = images.pin_memory() if self.device.type == "cuda" else images
            images = pinned.to(self.device, non_blocking=True)
        anchors = images.permute(0, 3, 1, 2).float().div_(255)
        return Batch(anchors, self.domain[images_there], index, self.augment, iter(drawn))


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items, but make each in another thread while the previous one is in use."""
    with ThreadPoolExecutor(1) as other:
        following = other.submit(next, items, None)  # `None` marks the end
        while (item := following.result()) is not None:
            following = other.submit(next, items, None)
            yield item


def build_sampler(config: Config, domain: npt.NDArray[np.int64], names: Sequence[str] = ()) -> BatchSampler:
    """Build the batch sampler of a config's method for the domains ``(n,)`` of the train split.

    Messages call the domains by ``names``, if they have any.

    Raises:
        UserError: If there are too few images for a batch.
    """
    batch = config.batch
    if shuffles(config.method):
        return RandomBatchSampler(len(domain), batch.n_domains * batch.n_per_domain, config.seed)
    return DomainBatchSampler(domain, batch.n_domains, batch.n_per_domain, config.seed, names)
