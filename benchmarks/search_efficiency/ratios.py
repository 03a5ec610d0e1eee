"""Ratios of what searches cost, with their spread over seeds.

A search that has not arrived costs its budget at least: its cost is given as the budget.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
LIMITS = (0.025, 0.975)
"""Quantiles of the resampled ratios that bound the interval: 95 %."""


@dataclass(frozen=True)
class Ratio:
    """A ratio and the limits of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def of_medians(costs: npt.ArrayLike, others: npt.ArrayLike, seed: int = 0) -> Ratio:
    """Return the ratio of the medians of two independent groups of searches, each resampled by itself."""
    rng = np.random.default_rng(seed)
    groups = np.asarray(costs), np.asarray(others)
    above, below = (_medians(_resampled(group, rng)) for group in groups)
    low, high = np.quantile(above / below, LIMITS)
    value = _medians(groups[0][np.newaxis]) / _medians(groups[1][np.newaxis])
    return Ratio(float(value[0]), float(low), float(high))


def of_pairs(costs: npt.ArrayLike, others: npt.ArrayLike, seed: int = 0) -> Ratio:
    """Return the geometric mean of the ratios of two searches of the same seed; the pairs are resampled."""
    logs = np.log(np.asarray(costs) / np.asarray(others))
    means = _resampled(logs, np.random.default_rng(seed)).mean(axis=1)
    low, high = np.exp(np.quantile(means, LIMITS))
    return Ratio(float(np.exp(logs.mean())), float(low), float(high))


def p_value(costs: npt.ArrayLike, others: npt.ArrayLike) -> float:
    """Return Wilcoxon's two-sided p of the logarithms of paired costs; 1 if no pair differs."""
    apart = np.log(np.asarray(costs) / np.asarray(others))
    return float(wilcoxon(apart).pvalue) if apart.any() else 1.0


def _medians(rows: Floats) -> Floats:
    """Return the median of each row, which is one of its values."""
    medians: Floats = np.quantile(rows, 0.5, axis=1, method="nearest")
    return medians


def _resampled(values: Floats, rng: np.random.Generator) -> Floats:
    """Draw ``(RESAMPLES, n)`` values with replacement."""
    drawn: Floats = values[rng.integers(len(values), size=(RESAMPLES, len(values)))]
    return drawn
