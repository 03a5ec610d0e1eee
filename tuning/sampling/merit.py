"""The merit of candidates: what they add to standing trials, on average over draws of all objectives."""

from collections.abc import Sequence

import numpy as np

from tuning.pareto import Direction, improvements, non_dominated
from tuning.sampling.gaussian_process import FloatArray


def added(
    candidates: FloatArray, standing: FloatArray, levels: FloatArray, directions: Sequence[Direction]
) -> FloatArray:
    """Return the hypervolume that each candidate would add alone, ``(n,)``, the mean over the draws.

    Args:
        candidates: ``(draws, n, m)`` drawn objectives of the candidates.
        standing: ``(draws, s, m)`` those of the standing trials under the same functions.
        levels: ``(draws, m)`` the worst points that count.
        directions: What is better, one an objective.
    """
    draws = zip(candidates, standing, levels, strict=True)
    merit: FloatArray = np.mean([improvements(*draw, directions) for draw in draws], axis=0)
    return merit


def nearness(candidates: FloatArray, levels: FloatArray, directions: Sequence[Direction]) -> FloatArray:
    """Return how near each candidate is to the level in its worst objective, ``(n,)``, 0 or more if better.

    The unit of an objective is its spread over the candidates. Arguments as in :func:`added`.
    """
    signs = np.where(np.array(directions) == "maximize", 1.0, -1.0)
    spread = np.maximum(candidates.std(axis=1, keepdims=True), 1e-12)
    gains = (candidates - levels[:, np.newaxis]) * signs / spread
    merit: FloatArray = gains.min(axis=2).mean(axis=0)
    return merit


def on_front(candidates: FloatArray, directions: Sequence[Direction]) -> FloatArray:
    """Return the share of the draws in which no other candidate dominates, ``(n,)``."""
    merit: FloatArray = np.mean([non_dominated(draw, directions) for draw in candidates], axis=0)
    return merit
