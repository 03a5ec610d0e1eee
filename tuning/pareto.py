"""Trade-offs between objectives: the front, its knee, its hypervolume.

Objectives come as an `(n, m)` array, one row a trial, with one direction a column.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Direction = Literal["maximize", "minimize"]
FloatArray = npt.NDArray[np.float64]


def non_dominated(values: npt.ArrayLike, directions: Sequence[Direction]) -> npt.NDArray[np.bool_]:
    """Tell which rows are on the Pareto front.

    A row is dominated when another one is at least as good in every objective and better in one. Equal rows
    do not dominate each other, so every copy of a front member is on the front.

    Args:
        values: objectives, shape `(n, m)`, finite; n may be 0.
        directions: what is better, one a column.

    Returns:
        Boolean array of shape `(n,)`.

    Raises:
        ValueError: if the shape does not fit the directions, a direction is unknown or a value is not finite.
    """
    gains = _as_gains(values, directions)
    front = np.ones(len(gains), dtype=bool)
    for i, row in enumerate(gains):
        if front[i]:
            front &= np.any(gains > row, axis=1) | np.all(gains == row, axis=1)
    return front


def knee(values: npt.ArrayLike, directions: Sequence[Direction]) -> int:
    """Pick the balanced member of the front: the one closest to the ideal point.

    The ideal point takes the front's best value in every objective. Distances are Euclidean after each
    objective is divided by its range over the front, so units do not matter; an objective that is the same
    all over the front does not count, and dominated rows have no influence. This is the compromise solution
    (p = 2, equal weights) of M. Zeleny, "Compromise Programming", *Multiple Criteria Decision Making*, 1973.

    Args:
        values: objectives, shape `(n, m)`, finite, n at least 1.
        directions: what is better, one a column.

    Returns:
        Index of a row of `values`; of equally close rows the first.

    Raises:
        ValueError: if there is no row, and as `non_dominated`.
    """
    gains = _as_gains(values, directions)
    rows = np.flatnonzero(non_dominated(values, directions))
    if not len(rows):
        raise ValueError("an empty front has no knee")
    shortfall = gains[rows].max(axis=0) - gains[rows]
    spread = shortfall.max(axis=0)
    scaled = shortfall / np.where(spread > 0, spread, 1.0)
    # Rounding lets mirror-image rows tie, whatever their last bits.
    distance = np.linalg.norm(scaled, axis=1).round(12)
    return int(rows[np.argmin(distance)])


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
    gains = _as_gains(values, directions)
    corner = np.asarray(reference, dtype=np.float64)
    if corner.shape != (gains.shape[1],):
        raise ValueError(f"reference has shape {corner.shape}, expected ({gains.shape[1]},)")
    sides = gains - _as_gains(corner[np.newaxis], directions)
    return _volume(sides[np.all(sides > 0, axis=1)])


def _volume(sides: FloatArray) -> float:
    """Volume of the union of boxes from the origin to each row of `(n, m)` positive sides."""
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
