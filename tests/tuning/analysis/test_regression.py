"""The posterior of the effects: against quadrature and least squares, and how often it holds the truth."""

import numpy as np
import pytest

from tuning.analysis import regression
from tuning.analysis.regression import FREEDOM, draw, explained
from tuning.pareto import FloatArray


def by_quadrature(x: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    """Posterior mean and quantiles of the one effect of one column, by a sum over a fine grid."""
    from scipy.stats import t as student

    x, y = x - x.mean(), (y - y.mean()) / y.std()
    slope, unit = x @ y / (x @ x), 1 / np.sqrt(x @ x)
    effect = slope + unit * np.sinh(np.linspace(-5, 5, 151))
    shared, noise = np.geomspace(1e-4, 1e4, 41), np.geomspace(0.05, 20, 41)
    misfit = ((y[:, np.newaxis] - np.outer(x, effect)) ** 2).sum(axis=0)
    likelihood = noise ** -(len(y) - 1.0) * np.exp(-misfit[:, np.newaxis] / (2 * noise**2))
    width = noise * shared[:, np.newaxis]
    prior = sum(student.pdf(effect[:, np.newaxis, np.newaxis], v, scale=width) for v in FREEDOM)
    cauchy = shared / (1 + shared**2)
    density = np.einsum("es,ets,t->e", likelihood, prior, cauchy) * np.gradient(effect)
    density /= density.sum()
    return float(density @ effect), np.interp([0.025, 0.5, 0.975], density.cumsum() - density / 2, effect)


@pytest.mark.parametrize("strength", [0.2, 2.0])
def test_one_effect_is_as_quadrature_has_it(strength: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(8)
    y = strength * x + rng.standard_normal(8)
    mean, quantiles = by_quadrature(x, y)
    draws = draw(x[:, np.newaxis], [0], y, 6000, rng)[:, 0] / y.std()
    assert draws.mean() == pytest.approx(mean, abs=0.03)
    np.testing.assert_allclose(np.quantile(draws, [0.025, 0.5, 0.975]), quantiles, atol=0.06)


def test_with_many_rows_it_is_least_squares() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2000, 4))
    y = 5 + x @ [3.0, -1.0, 0.5, 2.0] + 0.1 * rng.standard_normal(2000)
    design = np.column_stack([np.ones(2000), x])
    expected, (misfit,), *_ = np.linalg.lstsq(design, y)
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * misfit / 1995)
    draws = draw(x, [0, 0, 1, 1], y, 1000, rng)
    np.testing.assert_allclose(draws.mean(axis=0), expected[1:], atol=4e-4)
    np.testing.assert_allclose(draws.std(axis=0), error[1:], rtol=0.1)


def test_one_large_effect_among_many_nothings_is_not_shrunk_away() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((120, 50))
    y = x[:, 7] + rng.standard_normal(120)
    low, high = np.quantile(draw(x, [0] * 50, y, 500, rng), [0.025, 0.975], axis=0)
    assert low[7] < 1 < high[7]
    assert low[7] > 0.5
    assert np.mean((low < 0) & (high > 0)) >= 0.96


def test_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "WARM_UP", 150)
    held = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        x, effect = rng.standard_normal((24, 12)), rng.standard_normal(12) * np.repeat([1.0, 0.3], 6)
        y = x @ effect + rng.standard_normal(24)
        low, high = np.quantile(draw(x, [0] * 6 + [1] * 6, y, 200, rng), [0.025, 0.975], axis=0)
        held += list((low <= effect) & (effect <= high))
    assert 0.91 <= np.mean(held) <= 0.985


def test_draws_follow_units_and_ignore_offsets() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    one = draw(x, [0, 0, 0], y, 50, np.random.default_rng(4))
    other = draw(x + 7, [0, 0, 0], 1000 * y - 5, 50, np.random.default_rng(4))
    np.testing.assert_allclose(other, 1000 * one, rtol=1e-6)


def test_what_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "WARM_UP", 150)
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 3))
    signal = x @ [1.0, 2.0, -2.0]
    assert explained(x, [0, 0, 0], signal, rng, folds=2) > 0.99
    half = signal + signal.std() * rng.standard_normal(60)
    assert 0.2 < explained(x, [0, 0, 0], half, rng, folds=2) < 0.7
    assert explained(x, [0, 0, 0], rng.standard_normal(60), rng, folds=2) < 0.15


def test_a_constant_has_no_effects() -> None:
    with pytest.raises(ValueError, match="same in every row"):
        draw(np.eye(4), [0] * 4, np.full(4, 0.1), 10, np.random.default_rng(0))
