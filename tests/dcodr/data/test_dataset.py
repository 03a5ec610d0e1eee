"""Tests of ``dcodr.data.dataset``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcodr.data.dataset import SPLITS, DatasetSpec, FactorDataset, stratified_split
from dcodr.errors import UserError

domain_sizes = st.lists(st.integers(2, 60), min_size=1, max_size=20)


def domains_of(sizes: list[int]) -> np.ndarray:
    """Labels of domains of these sizes, not dense and in no order."""
    labels = np.repeat(np.arange(len(sizes)) * 3 + 5, sizes)
    return np.random.default_rng(0).permutation(labels)


@given(domain_sizes, st.integers(0, 3))
def test_every_domain_is_split_in_the_given_proportions(sizes: list[int], seed: int) -> None:
    domain = domains_of(sizes)
    split = stratified_split(domain, seed, fractions=(0.5, 0.3, 0.2))
    for label in np.unique(domain):
        n_train, n_validation, n_test = np.bincount(split[domain == label], minlength=len(SPLITS))
        n_images = n_train + n_validation + n_test
        assert n_train >= 2
        assert n_validation <= 0.3 * n_images + 1
        assert n_test <= 0.2 * n_images + 1
        if n_images >= 10:
            assert n_validation >= 0.3 * n_images - 1
            assert n_test >= 0.2 * n_images - 1


@pytest.mark.parametrize("size", [3, 4, 7, 10, 96])
def test_small_domains_share_what_rounding_leaves(size: int) -> None:
    split = stratified_split(domains_of([size] * 50), seed=0)
    n_train, n_validation, n_test = np.bincount(split)
    assert n_validation == n_test == 5 * size
    assert n_train == 40 * size


def test_one_large_domain_does_not_pay_for_many_small_ones() -> None:
    domain = np.repeat(np.arange(101), [2] * 100 + [100])
    split = stratified_split(domain, seed=0)
    np.testing.assert_array_equal(np.bincount(split[domain == 100]), [80, 10, 10])


def test_the_seed_alone_determines_the_split() -> None:
    domain = domains_of([20, 30, 40])
    split = stratified_split(domain, seed=1)
    np.testing.assert_array_equal(split, stratified_split(domain, seed=1))
    assert (split != stratified_split(domain, seed=2)).any()


def test_members_of_a_split_are_drawn_uniformly() -> None:
    domain = np.repeat([0, 1], 10)
    validated = np.mean([stratified_split(domain, seed) == 1 for seed in range(400)], axis=0)
    np.testing.assert_allclose(validated, 0.1, atol=5 * np.sqrt(0.1 * 0.9 / 400))


def test_a_domain_of_one_image_is_refused_by_its_own_label() -> None:
    with pytest.raises(UserError, match="domain 17 has 1 image"):
        stratified_split(np.array([4, 4, 4, 17, 30, 30]), seed=0)


def test_indices_list_each_split() -> None:
    data = FactorDataset(
        spec=DatasetSpec("shapes", "shape", ()),
        images=np.zeros((5, 8, 8, 3), np.uint8),
        domain=np.array([0, 0, 2, 1, 1]),
        attributes={},
        split=np.array([2, 0, 1, 0, 2], np.uint8),
        fingerprint="",
    )
    assert [data.indices(split).tolist() for split in SPLITS] == [[1, 3], [2], [0, 4]]
    assert (data.n_domains, data.image_size) == (3, 8)
