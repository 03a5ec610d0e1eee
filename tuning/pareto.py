"""Trade-offs between objectives: the front and those behind it, the best of it, its hypervolume.

Objectives come as an `(n, m)` array, one row a trial, with one direction a column.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

Direction = Literal["maximize", "minimize"]
FloatArray = npt.NDArray[np.float64]


def non_dominated(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.bool_]:
    """Tell which rows are on the Pareto front.

    A row is dominated when another one is at least as good in every objective and better in one. Equal rows
    do not dominate each other, so every copy of a front member is on the front. The cost grows as
    `n * log(n)` for two objectives, and at worst as `n` times the members of the front for more.

    Args:
        values: objectives, shape `(n, m)`, finite; n may be 0.
        directions: what is better, one a column.

    Returns:
        Boolean array of shape `(n,)`.

    Raises:
        ValueError: if the shape does not fit the directions, a direction is unknown or a value is not finite.
    """
    gains = _as_gains(values, directions)
    return _best_of_two(gains) if gains.shape[1] == 2 else _best(gains)


def _best_of_two(gains: FloatArray) -> npt.NDArray[np.bool_]:
    """The front of two objectives: the best in the second one of all that are no worse in the first."""
    order = np.lexsort((-gains[:, 1], -gains[:, 0]))
    first, second = gains[order].T
    group = np.searchsorted(-first, -first)  # where the rows with the same first objective begin
    best = np.append(-np.inf, np.maximum.accumulate(second))
    front = np.empty(len(gains), dtype=bool)
    front[order] = (second == second[group]) & (second > best[group])
    return front


def _best(gains: FloatArray) -> npt.NDArray[np.bool_]:
    """The front of any number of objectives: each member in turn leaves those that it does not dominate."""
    distinct, copy_of = np.unique(gains, axis=0, return_inverse=True)
    front = np.zeros(len(distinct), dtype=bool)
    left = np.arange(len(distinct))
    while len(left):  # the last is the best in the first objective
        member, left = left[-1], left[:-1]
        front[member] = True
        left = left[np.any(distinct[left] > distinct[member], axis=1)]
    return front[copy_of]


def joined(front: FloatArray, row: Sequence[float], directions: Sequence[Direction]) -> FloatArray:
    """The front of a front and one row more.

    Args:
        front: its members, shape `(n, m)`, copies included; n may be 0.
        row: objectives, shape `(m,)`, finite.
        directions: what is better, one a column.

    Returns:
        The members, shape `(k, m)`; those of `front` that stay come first.

    Raises:
        ValueError: as `non_dominated`.
    """
    rows = np.vstack([front, row])
    return rows[non_dominated(rows, directions)]


def fronts(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.int64]:
    """Number the rows by the front that they are on: 0 the Pareto front, 1 the front without it, and so on.

    Efficient non-dominated sorting with binary search (X. Zhang et al., "An Efficient Approach to
    Nondominated Sort for Evolutionary Multiobjective Optimization", IEEE Transactions on Evolutionary
    Computation 19(2), 2015). The cost grows as `n * log(n)` for two objectives, and at worst as
    `n ** 2 * log(n)` for more.

    Args:
        values: objectives, shape `(n, m)`, finite; n may be 0.
        directions: what is better, one a column.

    Returns:
        Array of shape `(n,)`; equal rows have equal numbers.

    Raises:
        ValueError: as `non_dominated`.
    """
    distinct, copy_of = np.unique(_as_gains(values, directions), axis=0, return_inverse=True)
    numbers = np.zeros(len(distinct), dtype=np.int64)
    members: list[list[list[float]]] = []
    # From the best in the first objective on: a row can only be dominated by one that came before.
    for i, row in reversed(list(enumerate(distinct.tolist()))):
        number = bisect_left(members, True, key=partial(_has_room, row))
        if number == len(members):
            members.append([])
        members[number].append(row)
        numbers[i] = number
    return numbers[copy_of]


def _has_room(row: list[float], front: list[list[float]]) -> bool:
    """Whether no member of a front is at least as good as a row that comes after them all."""
    # Along a front of two objectives the second one grows, so that the last member has the most of it.
    rivals = front if len(row) > 2 else front[-1:]
    return not any(all(theirs >= ours for theirs, ours in zip(rival, row, strict=True)) for rival in rivals)


def best_tradeoff(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    directions: Sequence[Direction],
    weights: Sequence[float] | None = None,
) -> int:
    """Pick the member of the front with the largest product of gains over the reference point.

    The gain of a row in an objective is how much better it is than the reference; 0 if it is worse. With
    equal weights the product is the hypervolume of the row by itself, and the pick is the Nash bargaining
    solution whose disagreement point is the reference (J. Nash, "The Bargaining Problem", Econometrica 18(2),
    1950):

        argmax_i  prod_j gain_ij ** weight_j

    Units do not matter, as scaling an objective scales every product alike. Neither does the spread of the
    front, so that a front of one, two or three members is judged like any other. A row that is no better than
    the reference in some objective, such as a code that knows nothing, has the product 0.

    An objective in which no row is better than the reference is measured from the worst value on the front.

    Args:
        values: objectives, shape `(n, m)`, finite, n at least 1.
        reference: the worst point that counts, shape `(m,)`.
        directions: what is better, one a column.
        weights: positive exponent of each gain, shape `(m,)`; 1 each by default. Only their ratios matter.

    Returns:
        Index of a row of `values`; of equally good rows the best in the first objective, then in the second
        and so on, and of equal rows the first.

    Raises:
        ValueError: if there is no row, a weight is not positive, and as `hypervolume`.
    """
    sides = _sides(values, reference, directions)
    exponents = np.ones(len(directions)) if weights is None else np.asarray(weights, dtype=np.float64)
    if exponents.shape != (len(directions),) or not np.all(exponents > 0):
        raise ValueError(f"weights {exponents.tolist()}: expected {len(directions)} positive numbers")
    rows = np.flatnonzero(non_dominated(values, directions))
    if not len(rows):
        raise ValueError("an empty front has no best trade-off")
    members = sides[rows]
    reached = members.max(axis=0) > 0
    gains = np.where(reached, np.maximum(members, 0.0), members - members.min(axis=0))
    gains[:, ~gains.any(axis=0)] = 1.0  # all members are alike in it
    with np.errstate(divide="ignore"):
        # Rounding lets members of the same product tie, whatever their last bits.
        product = (np.log(gains) * exponents / exponents.sum()).sum(axis=1).round(12)
    tied = np.flatnonzero(product == product.max())
    return int(rows[tied[np.lexsort(-members[tied].T[::-1])[0]]])


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike, directions: Sequence[Direction]) -> float:
    """Measure the region that is dominated by the rows and better than the reference point.

    Exact: a sweep for two objectives, slices along the last objective for more (HSO of While et al., "A
    Faster Algorithm for Calculating Hypervolume", IEEE Transactions on Evolutionary Computation 10(1), 2006).
    The cost grows as `n ** (m - 1) * log(n)`: meant for a handful of objectives.

    Args:
        values: objectives, shape `(n, m)`, finite; n may be 0.
        reference: the worst point that counts, shape `(m,)`; a row not better in every objective adds 0.
        directions: what is better, one a column.

    Returns:
        The volume, in the product of the objectives' units.

    Raises:
        ValueError: if the shape of the reference does not fit, and as `non_dominated`.
    """
    sides = _sides(values, reference, directions)
    return _volume(sides[np.all(sides > 0, axis=1)])


def contributions(
    values: npt.ArrayLike, reference: npt.ArrayLike, directions: Sequence[Direction]
) -> FloatArray:
    """Measure what each row adds to the front's hypervolume: what the front loses without it and its copies.

    The cost grows as `n * log(n)` for two objectives, and as `n` hypervolumes of the front for more.

    Args:
        values: objectives, shape `(n, m)`, finite; n may be 0.
        reference: the worst point that counts, shape `(m,)`.
        directions: what is better, one a column.

    Returns:
        Volumes of shape `(n,)`; 0 for a row that is dominated or not better than the reference in every
        objective.

    Raises:
        ValueError: as `hypervolume`.
    """
    sides = np.maximum(_sides(values, reference, directions), 0.0)
    distinct, copy_of = np.unique(sides, axis=0, return_inverse=True)
    on_front = non_dominated(distinct, ["maximize"] * len(directions))
    front = distinct[on_front]
    added = np.zeros(len(distinct))
    if front.shape[1] == 2:  # ascending in the first objective, so descending in the second
        added[on_front] = -np.diff(front[:, 0], prepend=0.0) * np.diff(front[:, 1], append=0.0)
    else:
        added[on_front] = [_exclusive(row, np.delete(front, i, axis=0)) for i, row in enumerate(front)]
    return added[copy_of]


def improvements(
    candidates: npt.ArrayLike,
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    directions: Sequence[Direction],
) -> FloatArray:
    """Measure what each of some candidates would add to the hypervolume of the rows, if it joined them alone.

    Args:
        candidates: objectives, shape `(c, m)`, finite.
        values: objectives of the rows, shape `(n, m)`, finite; n may be 0.
        reference: the worst point that counts, shape `(m,)`.
        directions: what is better, one a column.

    Returns:
        Volumes of shape `(c,)`; 0 for a candidate that a row dominates or equals.

    Raises:
        ValueError: as `hypervolume`.
    """
    sides = np.maximum(_sides(values, reference, directions), 0.0)
    front = np.unique(sides[non_dominated(sides, ["maximize"] * len(directions))], axis=0)
    rows = np.maximum(_sides(candidates, reference, directions), 0.0)
    beaten = np.any(np.all(rows[:, np.newaxis] <= front, axis=2), axis=1)
    added = np.zeros(len(rows))
    added[~beaten] = [_exclusive(row, front) for row in rows[~beaten]]
    return added


def _exclusive(row: FloatArray, others: FloatArray) -> float:
    """Volume of a row's box that is in no other's: only what the others cover of the box itself matters."""
    inside = np.unique(np.minimum(others, row), axis=0)[::-1]
    return float(np.prod(row)) - _volume(inside[non_dominated(inside, ["maximize"] * len(row))])


def crowding(values: npt.ArrayLike, directions: Sequence[Direction]) -> FloatArray:
    """Measure how far the members of a front are from their neighbours.

    The crowding distance of Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
    Transactions on Evolutionary Computation 6(2), 2002: the gap between the next better and the next worse
    value of an objective, divided by its range over the front, summed over the objectives. Members that share
    a value share its neighbours, so that copies are equally far; an objective that is the same all over the
    front does not count.

    Args:
        values: objectives of the members, shape `(n, m)`, finite; n may be 0.
        directions: what is better, one a column; the distance is the same either way.

    Returns:
        Distances of shape `(n,)`; infinite for the best and the worst in an objective.

    Raises:
        ValueError: as `non_dominated`.
    """
    gains = _as_gains(values, directions)
    distances = np.zeros(len(gains))
    for column in gains.T:
        levels, level_of = np.unique(column, return_inverse=True)
        if len(levels) > 1:
            gaps = np.full(len(levels), np.inf)
            gaps[1:-1] = (levels[2:] - levels[:-2]) / (levels[-1] - levels[0])
            distances += gaps[level_of]
    return distances


def _sides(values: npt.ArrayLike, reference: npt.ArrayLike, directions: Sequence[Direction]) -> FloatArray:
    """By how much each row is better than the reference, `(n, m)`."""
    gains = _as_gains(values, directions)
    corner = np.asarray(reference, dtype=np.float64)
    if corner.shape != (gains.shape[1],):
        raise ValueError(f"reference has shape {corner.shape}, expected ({gains.shape[1]},)")
    return gains - _as_gains(corner[np.newaxis], directions)


def _volume(sides: FloatArray) -> float:
    """Volume of the union of boxes from the origin to each row of `(n, m)` sides, none negative."""
    if not len(sides):
        return 0.0
    if sides.shape[1] == 1:
        return float(sides.max())
    boxes = sides[np.argsort(-sides[:, -1])]
    thickness = boxes[:, -1] - np.append(boxes[1:, -1], 0.0)
    if sides.shape[1] == 2:
        return float(np.sum(np.maximum.accumulate(boxes[:, 0]) * thickness))
    return sum(float(slab) * _volume(boxes[: i + 1, :-1]) for i, slab in enumerate(thickness) if slab > 0)


def _as_gains(values: npt.ArrayLike, directions: Sequence[Direction]) -> FloatArray:
    """Validate the objectives and flip their signs so that more is better in every column."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(directions) or not directions:
        raise ValueError(
            f"values have shape {array.shape}, expected (n, {len(directions)}) with one direction a column"
        )
    unknown = set(directions) - {"maximize", "minimize"}
    if unknown:
        raise ValueError(f"unknown direction {sorted(unknown)}: use 'maximize' or 'minimize'")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise ValueError(f"row {bad[0]} is not finite: {array[bad[0]].tolist()}")
    return array * np.where(np.asarray(directions) == "maximize", 1.0, -1.0)
