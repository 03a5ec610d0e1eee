"""Batches from images on the device and from images read ahead: the same ones."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from dcodr.augmentations.views import Augment
from dcodr.data.dataset import FactorDataset
from dcodr.methods.batch import Draws
from dcodr.training.batches import Batches, _ahead
from dcodr.training.sampler import DomainBatchSampler


def batches(data: FactorDataset, resident: bool) -> Batches:
    train = data.indices("train")
    sampler = DomainBatchSampler(data.domain[train], 4, 8, seed=3)
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


def test_the_next_item_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    seen = []
    for number in _ahead(items()):
        seen.append(number)
        assert made[min(number + 1, 2)].wait(timeout=5)
    assert seen == [0, 1, 2]


def test_an_error_while_reading_ahead_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise OSError("disk")

    ahead = _ahead(items())
    assert next(ahead) == 0
    with pytest.raises(OSError, match="disk"):
        next(ahead)
