"""The sampler of batches that know nothing of domains."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcodr.errors import UserError
from dcodr.training.sampler import RandomBatchSampler


def epoch_of(sampler: RandomBatchSampler, epoch: int) -> npt.NDArray[np.int64]:
    """``(batches, batch_size)`` positions."""
    sampler.set_epoch(epoch)
    return np.stack(list(sampler))


@given(n_images=st.integers(1, 60), data=st.data(), seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
@settings(max_examples=60)
def test_an_epoch_is_full_batches_without_repetition(
    n_images: int, data: st.DataObject, seed: int, epoch: int
) -> None:
    size = data.draw(st.integers(1, n_images))
    sampler = RandomBatchSampler(n_images, size, seed)
    batches = epoch_of(sampler, epoch)
    assert batches.shape == (n_images // size, size) == (len(sampler), size)
    assert len(np.unique(batches)) == batches.size
    assert batches.min() >= 0
    assert batches.max() < n_images


def test_an_epoch_is_a_function_of_seed_and_epoch_alone() -> None:
    walked = RandomBatchSampler(100, 10, seed=7)
    epochs = [epoch_of(walked, epoch) for epoch in range(4)]
    np.testing.assert_array_equal(epoch_of(RandomBatchSampler(100, 10, seed=7), 3), epochs[3])
    np.testing.assert_array_equal(epoch_of(walked, 1), epochs[1])
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epoch_of(RandomBatchSampler(100, 10, seed=8), 0), epochs[0])


def test_every_pair_of_images_meets_equally_often() -> None:
    """Two of 20 images are in the same batch of five with probability 4/19, whatever their positions."""
    sampler, together = RandomBatchSampler(20, 5, seed=0), np.zeros((20, 20))
    for epoch in range(2000):
        for batch in epoch_of(sampler, epoch):
            together[np.ix_(batch, batch)] += 1
    share = together[~np.eye(20, dtype=bool)] / 2000
    assert share.min() > 4 / 19 - 0.05
    assert share.max() < 4 / 19 + 0.05


def test_what_is_left_over_differs_from_epoch_to_epoch() -> None:
    sampler = RandomBatchSampler(10, 4, seed=0)
    seen = np.unique(np.concatenate([epoch_of(sampler, epoch).ravel() for epoch in range(12)]))
    np.testing.assert_array_equal(seen, np.arange(10))


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_that_cannot_be_filled_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"is {size} images, but there are 10 .* choose from 1 to 10"):
        RandomBatchSampler(10, size, seed=0)
