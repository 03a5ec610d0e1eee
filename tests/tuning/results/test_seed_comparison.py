"""Comparisons of two configs, against closed forms and simulated experiments of known truth."""

import numpy as np
import pytest
from scipy.stats import t

from tuning.pareto import Direction
from tuning.results.comparison import compare

BOTH: tuple[Direction, Direction] = ("maximize", "maximize")


def test_without_image_noise_interval_and_probability_are_those_of_a_paired_t_test() -> None:
    config = np.array([[0.9, 0.5], [0.94, 0.6], [0.92, 0.52]])
    other = np.array([[0.85, 0.55], [0.86, 0.58], [0.9, 0.6]])
    found = compare(config, other, [0, 0], BOTH)
    differences = config - other
    mean, error = differences.mean(axis=0), differences.std(axis=0, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(found.difference, mean)
    np.testing.assert_allclose(found.better, t.cdf(mean / error, df=2), atol=0.01)
    np.testing.assert_allclose(found.low, mean + t.ppf(0.025, 2) * error, atol=0.06 * 4.3 * error.max())
    np.testing.assert_allclose(found.high, mean + t.ppf(0.975, 2) * error, atol=0.06 * 4.3 * error.max())


def test_image_noise_alone_gives_a_normal_interval_that_seeds_do_not_narrow() -> None:
    for n in (2, 8):
        found = compare(np.full((n, 1), 0.9), np.full((n, 1), 0.88), [0.01], ["maximize"])
        assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * 0.01, rel=0.03)
        assert found.better[0] == pytest.approx(0.977, abs=0.01)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_intervals_cover_the_true_difference_in_95_of_100_experiments(n: int) -> None:
    rng, covered = np.random.default_rng(n), []
    for experiment in range(400):
        images = rng.normal(0.02, 0.01)  # the difference on these images; the truth is 0.02
        config, other = images + rng.normal(0, 0.03, (n, 1)), rng.normal(0, 0.03, (n, 1))
        found = compare(config, other, [0.01], ["maximize"], seed=experiment)
        covered.append(found.low[0] <= 0.02 <= found.high[0])
    assert 0.92 <= np.mean(covered) <= 0.98


def test_pairing_by_seed_removes_the_noise_that_both_share() -> None:
    shared = np.array([[0.1], [-0.2], [0.15]])
    config, other = 0.5 + shared, 0.48 + shared + np.array([[0.001], [-0.001], [0.0]])
    found = compare(config, other, [0], ["maximize"])
    assert found.low[0] > 0.01
    assert found.better[0] > 0.99


def test_lower_is_better_for_a_minimised_objective() -> None:
    found = compare([[0.1, 0.9], [0.1, 0.91]], [[0.3, 0.8], [0.31, 0.8]], [0, 0], ["minimize", "maximize"])
    assert found.difference[0] < 0
    assert (found.better > 0.9).all()
    assert found.better_in_all > 0.85


def test_equal_configs_are_better_with_a_probability_of_a_half_or_none() -> None:
    same = np.array([[0.5, 0.5], [0.6, 0.4]])
    assert compare(same, same, [0.01, 0.01], BOTH).better_in_all == pytest.approx(0.25, abs=0.02)
    assert compare(same, same, [0, 0], BOTH).better_in_all == 0
