"""Trade-offs between objectives: Pareto fronts, their best trade-off, their hypervolume.

In all functions `values` are objectives of shape `(n, m)`, finite, one row a trial; n may be 0. There is
one direction a column, and the reference `(m,)` is the worst point that counts. A ValueError is raised if
shapes do not fit, a direction is unknown or a value is not finite. `moocore`
(https://multi-objective.github.io/moocore) computes fronts, ranks and hypervolumes. This module checks their
input, handles their edge cases, and adds the best trade-off, the crowding distance and improvements.
"""

from collections.abc import Sequence
from typing import Literal

import moocore
import numpy as np
import numpy.typing as npt

Direction = Literal["maximize", "minimize"]
FloatArray = npt.NDArray[np.float64]


def non_dominated(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.bool_]:
    """Tell which rows are on the Pareto front, as `(n,)` booleans.

    A row is dominated when another one is at least as good in every objective and better in one. Equal rows
    do not dominate each other, so every copy of a front member is on the front.
    """
    gains = _as_gains(values, directions)
    front: npt.NDArray[np.bool_] = moocore.is_nondominated(gains, maximise=True, keep_weakly=True)
    return front


class GrowingFront:
    """A Pareto front that rows join one by one, and its hypervolume.

    Attributes:
        rows: The members, shape `(k, m)`, copies included, in the order in which they joined.
        hypervolume: See the function `hypervolume`.
    """

    def __init__(self, reference: npt.ArrayLike, directions: Sequence[Direction]) -> None:
        self.rows: FloatArray = np.empty((0, len(directions)))
        self.hypervolume = 0.0
        self._reference = reference
        self._directions = directions

    def add(self, row: Sequence[float]) -> None:
        """Let a row `(m,)` join, if no member dominates it, and drop the members that it dominates."""
        rows = np.vstack([self.rows, row])
        self.rows = rows[non_dominated(rows, self._directions)]
        self.hypervolume = hypervolume(self.rows, self._reference, self._directions)


def fronts(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.int64]:
    """Number the rows by their front: 0 the Pareto front, 1 the front without it, and so on; `(n,)`."""
    ranks: npt.NDArray[np.int64] = moocore.pareto_rank(_as_gains(values, directions), maximise=True)
    return ranks.astype(np.int64)


def dominators(row: Sequence[float], values: npt.ArrayLike, directions: Sequence[Direction]) -> int:
    """Count the rows of `values` that dominate a row `(m,)`."""
    (gains,), rest = _as_gains([row], directions), _as_gains(values, directions)
    return int(((rest >= gains).all(axis=1) & (rest > gains).any(axis=1)).sum())


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
        values: Objectives of at least one row.
        reference: The worst point that counts.
        directions: What is better.
        weights: Positive exponent of each gain, shape `(m,)`; 1 each by default. Only their ratios matter.

    Returns:
        Index of a row of `values`; of equally good rows the best in the first objective, then in the second
        and so on, and of equal rows the first.

    Raises:
        ValueError: If there is no row, or a weight is not positive.
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
    """Measure the region that is dominated by the rows and better than the reference point, exactly.

    A row that is not better than the reference in every objective adds 0.
    """
    return _volume(_sides(values, reference, directions))


def contributions(
    values: npt.ArrayLike, reference: npt.ArrayLike, directions: Sequence[Direction]
) -> FloatArray:
    """Measure what each row adds to the front's hypervolume: what the front loses without it and its copies.

    Returns:
        Volumes of shape `(n,)`; 0 for a row that is dominated or not better than the reference in every
        objective.
    """
    sides = np.maximum(_sides(values, reference, directions), 0.0)
    if sides.shape[1] == 1:
        return np.where(sides == sides.max(initial=0.0), sides, 0.0)[:, 0]
    # To moocore a copy adds nothing, as the other one remains.
    distinct, copy_of = np.unique(sides, axis=0, return_inverse=True)
    added: FloatArray = moocore.hv_contributions(distinct, np.zeros(sides.shape[1]), maximise=True)
    return added[copy_of]


def improvements(
    candidates: npt.ArrayLike,
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    directions: Sequence[Direction],
) -> FloatArray:
    """Measure what each of `(c, m)` candidates would add to the rows' hypervolume, if it joined them alone.

    Returns:
        Volumes of shape `(c,)`; 0 for a candidate that a row dominates or equals.
    """
    sides = np.maximum(_sides(values, reference, directions), 0.0)
    front = np.unique(sides[non_dominated(sides, ["maximize"] * len(directions))], axis=0)
    rows = np.maximum(_sides(candidates, reference, directions), 0.0)
    if sides.shape[1] == 2:
        return _areas(rows, front)
    beaten = np.any(np.all(rows[:, np.newaxis] <= front, axis=2), axis=1)
    added = np.zeros(len(rows))
    added[~beaten] = [_exclusive(row, front) for row in rows[~beaten]]
    return added


def _areas(rows: FloatArray, front: FloatArray) -> FloatArray:
    """Return the area of each row's box ``(c, 2)`` outside the boxes of a front, ascending in the first side.

    Every member of the front covers a strip up to its first side, from that of the member before.
    """
    edges = np.concatenate([[0.0], front[:, 0], [np.inf]])
    heights = np.append(front[:, 1], 0.0)
    widths = np.minimum(rows[:, :1], edges[1:]) - edges[:-1]
    area: FloatArray = (widths.clip(0) * (rows[:, 1:] - heights).clip(0)).sum(axis=1)
    return area


def _exclusive(row: FloatArray, others: FloatArray) -> float:
    """Return the volume of a row's box outside all others; only their parts inside the box matter."""
    return float(np.prod(row)) - _volume(np.minimum(others, row))


def crowding(values: npt.ArrayLike, directions: Sequence[Direction]) -> FloatArray:
    """Measure how far the members of a front are from their neighbours.

    The crowding distance of Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
    Transactions on Evolutionary Computation 6(2), 2002: the gap between the next better and the next worse
    value of an objective, divided by its range over the front, summed over the objectives. Members that share
    a value share its neighbours, so that copies are equally far; an objective that is the same all over the
    front does not count.

    Returns:
        Distances of shape `(n,)`; infinite for the best and the worst in an objective.
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
    """Subtract the reference from each row, `(n, m)`, so that positive is better."""
    gains = _as_gains(values, directions)
    corner = np.asarray(reference, dtype=np.float64)
    if corner.shape != (gains.shape[1],):
        raise ValueError(f"reference has shape {corner.shape}, expected ({gains.shape[1]},)")
    return gains - _as_gains(corner[np.newaxis], directions)


def _volume(sides: FloatArray) -> float:
    """Return the volume of the union of boxes from the origin to each row of `(n, m)` sides."""
    return float(moocore.hypervolume(sides, np.zeros(sides.shape[1]), maximise=True))


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
