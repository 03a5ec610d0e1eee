"""Batches from images on the device and from images read ahead: the same ones."""

import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dcodr.augmentations.views import Augment
from dcodr.data.dataset import FactorDataset
from dcodr.methods.batch import Draws
from dcodr.training.batches import Batches
from dcodr.training.sampler import BatchSampler, DomainBatchSampler


def batches(data: FactorDataset, resident: bool, sampler: BatchSampler | None = None) -> Batches:
    train = data.indices("train")
    sampler = sampler or DomainBatchSampler(data.domain[train], 4, 8, seed=3)
    draws = Draws(views=1)
    return Batches(data, train, sampler, Augment(("crop",)), lambda n: draws, torch.device("cpu"), resident)


def test_where_images_lie_changes_nothing(tiny: FactorDataset) -> None:
    train = tiny.indices("train")
    pairs = zip(batches(tiny, True).of_epoch(1, 0), batches(tiny, False).of_epoch(1, 0), strict=True)
    n_batches = 0
    for one, other in pairs:
        n_batches += 1
        images = np.stack([tiny.images[train[i]] for i in one.index]).transpose(0, 3, 1, 2) / 255
        np.testing.assert_allclose(one.anchors, images, atol=1e-6)
        assert one.domain.tolist() == tiny.domain[train[one.index]].tolist()
        assert one.anchors.is_contiguous(memory_format=torch.channels_last)
        for part in ("anchors", "index", "domain"):
            assert torch.equal(getattr(one, part), getattr(other, part))
        assert torch.equal(one.views(), other.views())
    assert n_batches == len(batches(tiny, True)) == len(train) // 32


class Told(DomainBatchSampler):
    """A sampler that tells of each batch that is drawn, and fails where it is told to."""

    def __init__(self, data: FactorDataset, failing: int | None = None) -> None:
        super().__init__(data.domain[data.indices("train")], 4, 8, seed=3)
        self.drawn = [threading.Event() for _ in range(len(self))]
        self.failing = failing

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        for number, positions in enumerate(super().__iter__()):
            if number == self.failing:
                raise OSError("disk")
            self.drawn[number].set()
            yield positions


def test_the_next_batch_is_read_while_one_is_used(tiny: FactorDataset) -> None:
    sampler, used = Told(tiny), 0
    for number, _ in enumerate(batches(tiny, False, sampler).of_epoch(1, 0)):
        used += 1
        assert sampler.drawn[min(number + 1, len(sampler) - 1)].wait(timeout=5)
    assert used == len(sampler) > 1


def test_an_error_while_reading_ahead_is_raised(tiny: FactorDataset) -> None:
    ahead = batches(tiny, False, Told(tiny, failing=1)).of_epoch(1, 0)
    assert len(next(ahead).anchors) == 32
    with pytest.raises(OSError, match="disk"):
        next(ahead)
