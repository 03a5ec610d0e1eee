"""Placement of labels beside points without overlaps."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tuning.pareto import FloatArray

DIRECTIONS = 16
RINGS = 8


def place(
    points: npt.ArrayLike, sizes: npt.ArrayLike, frame: Sequence[float], gap: float
) -> list[tuple[float, float] | None]:
    """Find a place for the label of every point, near it and overlapping neither a label nor a point.

    The search is greedy: earlier points choose first, and each takes the nearest free place. All lengths are
    in the same unit, e.g. pixels.

    Args:
        points: ``(n, 2)`` positions of the points.
        sizes: ``(n, 2)`` width and height of the labels.
        frame: Left, bottom, right and top end of the area for labels.
        gap: Room around a point; labels move away from their points in steps of this length.

    Returns:
        Lower left corners; ``None`` for a label that finds no room.
    """
    at, size = np.asarray(points, dtype=float), np.asarray(sizes, dtype=float)
    taken = np.hstack([at - gap, at + gap])
    corners: list[tuple[float, float] | None] = []
    for point, extent in zip(at, size, strict=True):
        found = None
        for corner in _around(point, extent, gap):
            box = np.hstack([corner, corner + extent])
            if _inside(box, frame) and not _overlaps(box, taken):
                taken = np.vstack([taken, box])
                found = float(corner[0]), float(corner[1])
                break
        corners.append(found)
    return corners


def _around(point: FloatArray, extent: FloatArray, gap: float) -> Iterator[FloatArray]:
    """Yield lower left corners of a label around its point, ring by ring, each ring from the right on."""
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    for ring in range(1, RINGS + 1):
        for angle in angles:
            reach = extent / 2 + ring * gap
            yield point + reach * [np.cos(angle), np.sin(angle)] - extent / 2


def _inside(box: FloatArray, frame: Sequence[float]) -> bool:
    return bool(box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3])


def _overlaps(box: FloatArray, others: FloatArray) -> bool:
    apart = (others[:, :2] >= box[2:]).any(axis=1) | (others[:, 2:] <= box[:2]).any(axis=1)
    return not bool(apart.all())
