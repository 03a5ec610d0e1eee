"""Merit is the mean of what each draw says."""

import numpy as np
import pytest

from tuning.pareto import Direction, hypervolume
from tuning.sampling.merit import added, nearness, on_front

WAYS: list[list[Direction]] = [
    ["maximize"],
    ["maximize", "minimize"],
    ["minimize", "maximize", "maximize"],
]


@pytest.mark.parametrize("directions", WAYS)
def test_what_candidates_add_is_the_mean_of_differences_of_hypervolume(directions: list[Direction]) -> None:
    rng, m = np.random.default_rng(0), len(directions)
    candidates, standing = rng.random((5, 9, m)), rng.random((5, 4, m))
    worst = np.where(np.array(directions) == "maximize", 0.2, 0.8)
    levels = worst + rng.normal(0, 0.05, (5, m))

    def gain(draw: int, row: int) -> float:
        rows, level = standing[draw], levels[draw]
        with_it = hypervolume([*rows, candidates[draw, row]], level, directions)
        return with_it - hypervolume(rows, level, directions)

    expected = [np.mean([gain(draw, row) for draw in range(5)]) for row in range(9)]
    assert max(expected) > 0
    assert added(candidates, standing, levels, directions) == pytest.approx(np.array(expected))


def test_nearness_is_that_of_the_worst_objective_in_units_of_spread() -> None:
    candidates = np.array([[[1.0, 5.0], [3.0, 5.0], [2.0, 9.0]]])
    levels = np.array([[3.0, 4.0]])
    spread = candidates[0].std(axis=0)
    expected = [-2 / spread[0], -1 / spread[1], -5 / spread[1]]
    assert nearness(candidates, levels, ["maximize", "minimize"]) == pytest.approx(np.array(expected))
    twice = nearness(np.repeat(candidates, 2, axis=0), np.repeat(levels, 2, axis=0), ["maximize", "minimize"])
    assert twice == pytest.approx(np.array(expected))


def test_the_share_of_draws_on_the_front() -> None:
    draws = np.array([[[1.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 0.5]]])
    assert on_front(draws, ["maximize", "maximize"]).tolist() == [1.0, 0.5]
