"""Comparison of two configs by trainings of both with the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuning.pareto import Direction, FloatArray

DRAWS = 20_000
LIMITS = (0.025, 0.975)


@dataclass(frozen=True)
class Comparison:
    """Differences between a config and another one, objective by objective.

    Attributes:
        seeds: Number of seeds with which both were trained.
        difference: ``(m,)`` mean difference over the seeds, the config minus the other.
        low: ``(m,)`` lower limit of the 95 % interval of the difference.
        high: ``(m,)`` upper limit.
        better: ``(m,)`` probability that the config is better in each objective.
        better_in_all: Probability that it is better in all objectives at once.
    """

    seeds: int
    difference: FloatArray
    low: FloatArray
    high: FloatArray
    better: FloatArray
    better_in_all: float


def compare(
    config: npt.ArrayLike,
    other: npt.ArrayLike,
    image_errors: npt.ArrayLike,
    directions: Sequence[Direction],
    seed: int = 0,
) -> Comparison:
    """Compare two configs that were trained with the same seeds and scored on the same images.

    Two kinds of noise are combined. The seeds' noise is that of a mean of paired differences: Student's t
    with one degree of freedom less than seeds. A plain bootstrap of three seeds would be too sure, as its
    standard deviation is 18 % too small and its tails are too light. The images' noise is the same for all
    seeds, so more seeds do not lower it; it is added as a normal error.

    Args:
        config: ``(n, m)`` objectives of the config's trainings, at least two.
        other: ``(n, m)`` objectives of the other's trainings, with the same seeds in the same order.
        image_errors: ``(m,)`` standard error of a difference that stems from the choice of scored images.
        directions: Direction of each objective.
        seed: Seed of the draws.
    """
    differences = np.asarray(config, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    n, m = differences.shape
    mean = differences.mean(axis=0)
    rng = np.random.default_rng(seed)
    # Draws of a multivariate t: the residuals weighted by normal numbers have the covariance of the mean.
    residuals = (differences - mean) / np.sqrt(n * (n - 1))
    tails = np.sqrt((n - 1) / rng.chisquare(n - 1, size=(DRAWS, 1)))
    drawn = mean + rng.normal(size=(DRAWS, n)) @ residuals * tails
    drawn += rng.normal(size=(DRAWS, m)) * np.asarray(image_errors)
    signs = np.array([1 if direction == "maximize" else -1 for direction in directions])
    better = drawn * signs > 0
    low, high = np.quantile(drawn, LIMITS, axis=0)
    return Comparison(n, mean, low, high, better.mean(axis=0), float(better.all(axis=1).mean()))
