"""Fronts, best trade-offs and hypervolumes against their definitions."""

import math
from collections.abc import Sequence
from itertools import combinations, product
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tuning.pareto import (
    Direction,
    FloatArray,
    GrowingFront,
    best_tradeoff,
    contributions,
    crowding,
    dominators,
    fronts,
    hypervolume,
    improvements,
    non_dominated,
)

Problem = tuple[FloatArray, list[Direction]]
DIRECTIONS: tuple[Direction, ...] = ("maximize", "minimize")
unhurried = settings(max_examples=50)


@st.composite
def problems(draw: st.DrawFn, min_rows: int = 1, max_rows: int = 12) -> Problem:
    """Objectives on a coarse grid (so that ties and duplicates are common) with mixed directions."""
    m = draw(st.integers(1, 4))
    row = st.lists(st.integers(-3, 3).map(float), min_size=m, max_size=m)
    rows = draw(st.lists(row, min_size=min_rows, max_size=max_rows))
    directions = draw(st.lists(st.sampled_from(DIRECTIONS), min_size=m, max_size=m))
    return np.array(rows).reshape(-1, m), directions


def better(a: float, b: float, direction: Direction) -> bool:
    return a > b if direction == "maximize" else a < b


def dominates(a: FloatArray, b: FloatArray, directions: Sequence[Direction]) -> bool:
    pairs = list(zip(a, b, directions, strict=True))
    return not any(better(y, x, d) for x, y, d in pairs) and any(better(x, y, d) for x, y, d in pairs)


def inclusion_exclusion(values: FloatArray, reference: FloatArray, directions: Sequence[Direction]) -> float:
    """Volume of a union of boxes: alternating sum over the intersections of every subset."""
    boxes = [
        [
            max(x - r if d == "maximize" else r - x, 0.0)
            for x, r, d in zip(row, reference, directions, strict=True)
        ]
        for row in values
    ]
    return math.fsum(
        (-1) ** (size + 1) * math.prod(min(sides) for sides in zip(*subset, strict=True))
        for size in range(1, len(boxes) + 1)
        for subset in combinations(boxes, size)
    )


@unhurried
@given(problems(min_rows=0))
def test_front_is_what_nothing_dominates(problem: Problem) -> None:
    values, directions = problem
    expected = [not any(dominates(other, row, directions) for other in values) for row in values]
    assert non_dominated(values, directions).tolist() == expected


@unhurried
@given(problems())
def test_a_front_joined_by_row_after_row_is_the_front_of_all(problem: Problem) -> None:
    values, directions = problem
    reference = [
        values[:, i].min() if of == "maximize" else values[:, i].max() for i, of in enumerate(directions)
    ]
    front = GrowingFront(reference, directions)
    for row in values:
        front.add(row.tolist())
    assert np.array_equal(front.rows, values[non_dominated(values, directions)])
    assert front.hypervolume == hypervolume(front.rows, reference, directions)


def test_front_by_hand_with_duplicates_and_mixed_directions() -> None:
    values = [[0.9, 10.0], [0.9, 10.0], [0.8, 12.0], [0.5, 3.0], [0.9, 11.0]]
    assert non_dominated(values, ["maximize", "minimize"]).tolist() == [True, True, False, True, False]


@unhurried
@given(problems(min_rows=0))
def test_fronts_are_peeled_off_one_by_one(problem: Problem) -> None:
    values, directions = problem
    left, expected = set(range(len(values))), [-1] * len(values)
    for number in range(len(values)):
        best = [i for i in left if not any(dominates(values[j], values[i], directions) for j in left)]
        left -= set(best)
        for i in best:
            expected[i] = number
    assert fronts(values, directions).tolist() == expected


def test_fronts_by_hand_with_zeros_of_both_signs() -> None:
    values = [[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [-1.0, -1.0]]
    assert fronts(values, ["maximize", "maximize"]).tolist() == [0, 0, 0, 1, 2]
    assert fronts(values, ["minimize", "minimize"]).tolist() == [2, 2, 2, 1, 0]


@unhurried
@given(problems())
def test_dominators_are_those_of_the_definition(problem: Problem) -> None:
    values, directions = problem
    for row in values:
        counted = sum(dominates(other, row, directions) for other in values)
        assert dominators(row.tolist(), values, directions) == counted
    assert dominators(values[0].tolist(), values[:0], directions) == 0


@unhurried
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(problem: Problem, random: Random) -> None:
    values, directions = problem
    order = list(range(len(values)))
    random.shuffle(order)
    assert np.array_equal(non_dominated(values[order], directions), non_dominated(values, directions)[order])
    reference = [-4.0 if d == "maximize" else 4.0 for d in directions]
    assert hypervolume(values[order], reference, directions) == pytest.approx(
        hypervolume(values, reference, directions)
    )


def corner(directions: Sequence[Direction], by: float = 4.0) -> list[float]:
    """Return a reference that every row of ``problems`` is better than in every objective."""
    return [-by if direction == "maximize" else by for direction in directions]


def product_of(row: FloatArray, reference: Sequence[float], directions: Sequence[Direction]) -> float:
    sides = [x - r if d == "maximize" else r - x for x, r, d in zip(row, reference, directions, strict=True)]
    return math.prod(max(side, 0.0) for side in sides)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.90, 0.10], [0.899, 0.90]], 1),
        ([[0.982, 0.675], [0.964, 0.806]], 1),  # found on Cars3D; the second has the paper's settings
        ([[1.0, 0.011], [0.62, 0.3]], 1),  # faces without labels; the first knows nothing
        ([[1.0, 0.0], [0.1, 0.1]], 1),
        ([[0.3, 0.2]], 0),
        ([[0.0, 1.0], [0.6, 0.6], [1.0, 0.0]], 1),
        ([[0.95, 0.1], [0.9, 0.5], [0.5, 0.6]], 1),
        ([[0.4, 0.8], [0.8, 0.4]], 1),  # of equals the best in the first objective
        ([[1.0, -0.1], [0.9, -0.05], [0.8, -0.2]], 1),  # none knows anything: from the worst of them on
        ([[0.7, 0.7], [0.9, 0.8], [0.7, 0.7]], 1),
    ],
)
def test_best_tradeoff_by_hand(values: list[list[float]], expected: int) -> None:
    assert best_tradeoff(values, [0.0, 0.0], ["maximize", "maximize"]) == expected
    errors = [[invariance, 30 * (1 - informativeness)] for invariance, informativeness in values]
    assert best_tradeoff(errors, [0.0, 30.0], ["maximize", "minimize"]) == expected


@unhurried
@given(problems())
def test_the_best_tradeoff_dominates_the_most_by_itself(problem: Problem) -> None:
    values, directions = problem
    reference = corner(directions)
    picked = best_tradeoff(values, reference, directions)
    products = [product_of(row, reference, directions) for row in values]
    assert products[picked] == pytest.approx(max(products))
    assert hypervolume(values[[picked]], reference, directions) == pytest.approx(max(products))


@unhurried
@given(problems(), st.randoms(use_true_random=False))
def test_the_best_tradeoff_is_on_the_front_whatever_the_order_and_the_reference(
    problem: Problem, random: Random
) -> None:
    values, directions = problem
    reference = [random.uniform(-4, 4) for _ in directions]
    picked = best_tradeoff(values, reference, directions)
    assert not any(dominates(other, values[picked], directions) for other in values)
    order = list(range(len(values)))
    random.shuffle(order)
    assert np.array_equal(values[order][best_tradeoff(values[order], reference, directions)], values[picked])


@unhurried
@given(problems(), st.randoms(use_true_random=False))
def test_neither_units_nor_dominated_rows_change_the_best_tradeoff(problem: Problem, random: Random) -> None:
    values, directions = problem
    reference = np.array([random.uniform(-4, 4) for _ in directions])
    picked = values[best_tradeoff(values, reference, directions)]
    units = np.array([10 ** random.uniform(-4, 4) for _ in directions])
    assert np.array_equal(values[best_tradeoff(values * units, reference * units, directions)], picked)
    front = values[non_dominated(values, directions)]
    assert np.array_equal(front[best_tradeoff(front, reference, directions)], picked)


@unhurried
@given(problems())
def test_a_row_without_gain_in_some_objective_is_picked_only_if_all_are_such(problem: Problem) -> None:
    values, directions = problem
    products = [product_of(row, [0.0] * len(directions), directions) for row in values]
    picked = best_tradeoff(values, [0.0] * len(directions), directions)
    assert products[picked] > 0 or not any(products)


shares = st.floats(0.0, 1.0)


@unhurried
@given(
    front=st.lists(st.tuples(shares, shares), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
    noise=st.sampled_from([0.001, 0.01, 0.05]),
)
def test_noise_costs_the_best_tradeoff_no_more_than_its_size(
    front: list[tuple[float, float]], seed: int, noise: float
) -> None:
    """A product of two shares that are off by d is off by 2 d + d^2 at most, and so are two products."""
    values = np.array(front)
    measured = values + np.random.default_rng(seed).uniform(-noise, noise, values.shape)
    true = values.prod(axis=1)
    picked = best_tradeoff(measured, [0.0, 0.0], ["maximize", "maximize"])
    if np.any(np.all(measured > 0, axis=1)):
        assert true[picked] >= true.max() - 2 * (2 * noise + noise**2) - 1e-9


def test_along_a_convex_front_noise_hardly_matters() -> None:
    angle = np.linspace(0, np.pi / 2, 41)
    values = np.column_stack([np.sin(angle), np.cos(angle)])
    rng = np.random.default_rng(0)
    reached = [
        values[best_tradeoff(noisy, [0.0, 0.0], ["maximize", "maximize"])].prod()
        for noisy in values + rng.normal(0, 0.01, (200, *values.shape))
    ]
    assert min(reached) > 0.5 - 0.03  # the best is sin 45 degrees * cos 45 degrees


@unhurried
@given(problems(), st.integers(1, 4), st.integers(1, 4))
def test_weights_are_exponents(problem: Problem, first: int, others: int) -> None:
    values, directions = problem
    reference = corner(directions)
    weights = [first, *[others] * (len(directions) - 1)]
    repeated = np.repeat(np.arange(len(directions)), weights)  # an objective of weight 2 counts twice
    picked = best_tradeoff(values, reference, directions, weights)
    again = best_tradeoff(
        values[:, repeated], np.array(reference)[repeated], [directions[i] for i in repeated]
    )
    assert np.array_equal(values[picked], values[again])
    assert picked == best_tradeoff(values, reference, directions, [0.1 * weight for weight in weights])


def test_more_weight_on_an_objective_gives_more_of_it() -> None:
    front = np.array([[0.9, 0.4], [0.7, 0.7], [0.4, 0.9]])
    picked = [best_tradeoff(front, [0, 0], ["maximize"] * 2, [1, weight]) for weight in (0.2, 1, 5)]
    assert picked == [0, 1, 2]


@unhurried
@given(problems(min_rows=0, max_rows=7))
def test_hypervolume_equals_inclusion_exclusion(problem: Problem) -> None:
    values, directions = problem
    reference = np.ones(len(directions))
    assert hypervolume(values, reference, directions) == pytest.approx(
        inclusion_exclusion(values, reference, directions)
    )


@pytest.mark.parametrize("m", [2, 3, 5])
def test_hypervolume_agrees_with_monte_carlo(m: int) -> None:
    rng = np.random.default_rng(m)
    values, points = rng.random((12, m)), rng.random((100_000, m))
    covered = np.any(np.all(points[:, None] <= values[None], axis=2), axis=1).mean()
    error = 4 * np.sqrt(covered * (1 - covered) / len(points))
    assert hypervolume(values, np.zeros(m), ["maximize"] * m) == pytest.approx(covered, abs=error)


@unhurried
@given(problems())
def test_only_the_front_has_volume_and_duplicates_add_none(problem: Problem) -> None:
    values, directions = problem
    reference = [-4.0 if d == "maximize" else 4.0 for d in directions]
    whole = hypervolume(values, reference, directions)
    assert hypervolume(values[non_dominated(values, directions)], reference, directions) == pytest.approx(
        whole
    )
    assert hypervolume(np.repeat(values, 2, axis=0), reference, directions) == pytest.approx(whole)


def test_hypervolume_by_hand() -> None:
    assert hypervolume([[3.0], [5.0]], [1.0], ["maximize"]) == 4.0
    assert hypervolume([[3.0], [5.0]], [4.0], ["minimize"]) == 1.0
    assert hypervolume([[2.0, 1.0], [1.0, 2.0]], [0.0, 0.0], ["maximize", "maximize"]) == 3.0
    assert hypervolume([[2.0, -1.0]], [0.0, 0.0], ["maximize", "maximize"]) == 0.0
    assert hypervolume(np.empty((0, 2)), [0.0, 0.0], ["maximize", "maximize"]) == 0.0
    corners = [row for row in product([1.0, 2.0], repeat=3) if sum(row) == 4.0]
    assert hypervolume(corners, [0.0] * 3, ["maximize"] * 3) == 4.0


@unhurried
@given(problems(min_rows=0, max_rows=8))
def test_a_contribution_is_the_volume_that_the_front_loses_without_a_row(problem: Problem) -> None:
    values, directions = problem
    reference = np.zeros(len(directions))
    front = values[non_dominated(values, directions)]
    whole = hypervolume(front, reference, directions)
    expected = [
        whole - hypervolume(front[np.any(front != row, axis=1)], reference, directions) for row in values
    ]
    assert contributions(values, reference, directions) == pytest.approx(np.array(expected))


@unhurried
@given(problems(min_rows=1, max_rows=8), st.integers(1, 8))
def test_an_improvement_is_the_volume_that_a_candidate_adds(problem: Problem, split: int) -> None:
    values, directions = problem
    reference = np.zeros(len(directions))
    candidates, rows = values[:split], values[split:]
    before = hypervolume(rows, reference, directions)
    expected = [hypervolume([row, *rows], reference, directions) - before for row in candidates]
    assert improvements(candidates, rows, reference, directions) == pytest.approx(np.array(expected))


def test_contributions_by_hand() -> None:
    values = [[3.0, 1.0], [2.0, 2.0], [2.0, 2.0], [1.0, 1.0], [1.0, 3.0], [-1.0, 9.0]]
    assert contributions(values, [0.0, 0.0], ["maximize", "maximize"]).tolist() == [1, 1, 1, 0, 1, 0]


def test_crowding_by_hand() -> None:
    front = [[3.0, 2.0], [0.0, 10.0], [4.0, 0.0], [1.0, 6.0]]
    distances = crowding(front, ["maximize", "maximize"])
    assert distances.tolist() == pytest.approx([3 / 4 + 6 / 10, math.inf, math.inf, 3 / 4 + 8 / 10])
    assert crowding(front, ["maximize", "minimize"]).tolist() == distances.tolist()
    assert crowding([*front, front[0]], ["maximize", "maximize"]).tolist() == [*distances, distances[0]]
    assert crowding([[1.0, 2.0], [1.0, 2.0]], ["maximize", "maximize"]).tolist() == [0.0, 0.0]


@given(st.integers(1, 3), st.integers(2, 9), st.randoms(use_true_random=False))
def test_crowding_sorts_the_front_by_each_objective(m: int, n: int, random: Random) -> None:
    columns = [random.sample(range(100), n) for _ in range(m)]
    expected = np.zeros(n)
    for column in columns:
        order = sorted(range(n), key=column.__getitem__)
        expected[order[0]] = expected[order[-1]] = math.inf
        for before, i, after in zip(order, order[1:], order[2:], strict=False):
            expected[i] += (column[after] - column[before]) / (max(column) - min(column))
    assert crowding(np.transpose(columns), ["maximize"] * m) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "directions", "message"),
    [
        ([[0.1, float("nan")]], ["maximize", "maximize"], "row 0 is not finite"),
        ([[0.1, 0.2], [float("inf"), 0.2]], ["maximize", "maximize"], "row 1 is not finite"),
        ([[0.1, 0.2]], ["maximize"], r"expected \(n, 1\)"),
        ([0.1, 0.2], ["maximize", "maximize"], r"expected \(n, 2\)"),
        ([[0.1]], ["max"], "unknown direction"),
    ],
)
def test_unusable_objectives_are_refused(
    values: list[list[float]], directions: list[Direction], message: str
) -> None:
    for ranks in (non_dominated, fronts, crowding):
        with pytest.raises(ValueError, match=message):
            ranks(values, directions)
    for measures in (hypervolume, contributions, best_tradeoff):
        with pytest.raises(ValueError, match=message):
            measures(values, [0.0] * len(directions), directions)


def test_an_empty_front_has_no_best_and_a_reference_must_fit() -> None:
    with pytest.raises(ValueError, match="no best trade-off"):
        best_tradeoff(np.empty((0, 2)), [0.0, 0.0], ["maximize", "maximize"])
    for measures in (hypervolume, best_tradeoff):
        with pytest.raises(ValueError, match=r"reference has shape \(1,\)"):
            measures([[1.0, 1.0]], [0.0], ["maximize", "maximize"])


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, math.nan]])
def test_weights_must_be_positive_and_fit(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="expected 2 positive numbers"):
        best_tradeoff([[1.0, 1.0]], [0.0, 0.0], ["maximize", "maximize"], weights)
