"""The sampler of batches, iterated through a real ``DataLoader``."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from dcodr.errors import UserError
from dcodr.training.sampler import DomainBatchSampler

Domain = npt.NDArray[np.int64]


class _Positions(Dataset[int]):
    """Item ``i`` is ``i``: a batch shows what was drawn."""

    def __getitem__(self, index: Any) -> int:
        return int(index)


def _domain(sizes: list[int]) -> Domain:
    """Shuffled labels 10, 13, 16, ... of domains with these sizes."""
    labels = np.repeat(10 + 3 * np.arange(len(sizes)), sizes)
    return np.random.default_rng(0).permutation(labels)


def _batches(sampler: DomainBatchSampler, epoch: int = 0) -> list[Domain]:
    sampler.set_epoch(epoch)
    as_lists: Any = sampler  # a DataLoader is typed for lists
    loader: DataLoader[int] = DataLoader(_Positions(), batch_sampler=as_lists)
    batches: list[Domain] = []
    for batch in loader:
        assert isinstance(batch, torch.Tensor)
        batches.append(batch.numpy())
    return batches


@st.composite
def _settings(draw: st.DrawFn) -> tuple[list[int], int, int]:
    n_per_domain = draw(st.integers(1, 5))
    sizes = draw(st.lists(st.integers(n_per_domain, 12), min_size=1, max_size=6))
    return sizes, draw(st.integers(1, len(sizes))), n_per_domain


@given(setting=_settings(), seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
@settings(max_examples=60)
def test_batches_are_blocks_of_distinct_domains_with_distinct_images(
    setting: tuple[list[int], int, int], seed: int, epoch: int
) -> None:
    sizes, n_domains, n_per_domain = setting
    domain = _domain(sizes)
    sampler = DomainBatchSampler(domain, n_domains, n_per_domain, seed)
    batches = _batches(sampler, epoch)

    assert len(batches) == len(sampler) == sum(sizes) // (n_domains * n_per_domain)
    for batch in batches:
        assert len(set(batch.tolist())) == n_domains * n_per_domain
        blocks = domain[batch].reshape(n_domains, n_per_domain)
        assert (blocks == blocks[:, :1]).all()
        assert len(set(blocks[:, 0].tolist())) == n_domains


@given(setting=_settings(), seed=st.integers(0, 100))
@settings(max_examples=60)
def test_no_image_comes_twice_before_all_of_its_domain_came_once(
    setting: tuple[list[int], int, int], seed: int
) -> None:
    sizes, n_domains, n_per_domain = setting
    domain = _domain(sizes)
    batches = _batches(DomainBatchSampler(domain, n_domains, n_per_domain, seed))
    drawn = np.concatenate([*batches, np.empty(0, dtype=np.int64)])
    for label in np.unique(domain):
        dealt = drawn[domain[drawn] == label]
        first_pass = dealt[: (domain == label).sum()]
        assert len(np.unique(first_pass)) == len(first_pass)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    domain = _domain([20] * 5)
    walked = DomainBatchSampler(domain, n_domains=3, n_per_domain=4, seed=7)
    epochs = [np.stack(_batches(walked, epoch)) for epoch in range(4)]
    resumed = np.stack(_batches(DomainBatchSampler(domain, 3, 4, seed=7), epoch=3))

    np.testing.assert_array_equal(resumed, epochs[3])
    np.testing.assert_array_equal(np.stack(_batches(walked, epoch=1)), epochs[1])
    assert len({epoch.tobytes() for epoch in epochs}) == 4
    other_seed = np.stack(_batches(DomainBatchSampler(domain, 3, 4, seed=8), epoch=0))
    assert not np.array_equal(other_seed, epochs[0])


def test_epoch_without_a_number_is_the_first() -> None:
    domain = _domain([20] * 5)
    sampler = DomainBatchSampler(domain, n_domains=3, n_per_domain=4, seed=7)

    np.testing.assert_array_equal(np.stack(list(sampler)), np.stack(_batches(sampler, epoch=0)))


def test_global_random_state_is_neither_used_nor_changed() -> None:
    sampler = DomainBatchSampler(_domain([20] * 5), n_domains=3, n_per_domain=4, seed=7)
    state = torch.random.get_rng_state()
    first = np.stack(list(sampler))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(1)

    np.testing.assert_array_equal(np.stack(list(sampler)), first)


def test_all_domains_in_every_batch_show_every_image_once_an_epoch() -> None:
    sampler = DomainBatchSampler(_domain([12] * 4), n_domains=4, n_per_domain=3, seed=0)
    for epoch in range(3):
        assert sorted(np.concatenate(_batches(sampler, epoch)).tolist()) == list(range(48))


@pytest.mark.parametrize("sizes", [[32] * 8, [8, 16, 24, 32, 40, 48, 56, 64]])
def test_images_come_about_equally_often_over_epochs(sizes: list[int]) -> None:
    """As often as there are epochs, within 25 %: domains of every size get their share."""
    n_epochs = 40
    sampler = DomainBatchSampler(_domain(sizes), n_domains=2, n_per_domain=4, seed=0)
    drawn = np.concatenate([batch for epoch in range(n_epochs) for batch in _batches(sampler, epoch)])
    counts = np.bincount(drawn, minlength=sum(sizes))

    assert counts.sum() == n_epochs * sum(sizes)
    assert counts.min() >= 0.75 * n_epochs
    assert counts.max() <= 1.25 * n_epochs


@pytest.mark.parametrize(
    ("sizes", "n_domains", "n_per_domain", "message"),
    [
        ([8, 8], 0, 4, r"batch\.n_domains is 0; it must be positive"),
        ([8, 8], 2, -1, r"batch\.n_per_domain is -1; it must be positive"),
        ([8, 8], 3, 4, r"batch\.n_domains is 3, .* have 2 domains: lower it to 2"),
        ([8, 3, 5], 2, 6, r"n_per_domain is 6, but 2 of 3 domains .* have 3 \(domain 13\): lower it to 3"),
        ([2] * 7, 2, 4, r"7 of 7 domains .* have 2 \(domain 10, 13, 16, 19, 22, \.\.\.\)"),
        ([], 1, 1, r"n_domains is 1, .* have 0 domains"),
    ],
)
def test_infeasible_batches_are_refused_with_figures(
    sizes: list[int], n_domains: int, n_per_domain: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        DomainBatchSampler(_domain(sizes), n_domains, n_per_domain, seed=0)
