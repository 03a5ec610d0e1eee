"""A rung of early stopping: the trials recorded there, in an order where a new one soon finds its place."""

import math
from bisect import bisect_left, insort
from collections.abc import Callable
from operator import itemgetter

import numpy as np

from tuning.pareto import FloatArray

Vector = tuple[float, ...]
"""A trial's objectives at an evaluation, each such that more is better."""
Merit = Callable[[FloatArray], FloatArray]
"""Merits `(n,)` of the `(n, m)` members of a front; more is better."""


class Rung:
    """Trials at a rung, by the front that they are on (0 the best), then by merit within it.

    The fronts are kept as trials come, each in ascending order (so that of two objectives the second one
    descends): a new member pushes those that it dominates to the next front, they push others, and so on
    (Yakupov & Buzdalov, "Incremental Non-dominated Sorting with O(N) Insertion for the Two-dimensional Case",
    IEEE Congress on Evolutionary Computation, 2015). With two objectives a trial costs one binary search a
    front at most; the fronts of evenly spread trials are as many as the root of their number. With more
    objectives it may cost a look at every trial. One objective needs no fronts: it is its own rank.

    Args:
        n_objectives: Number of objectives.
        merit: What ranks the members of a front.
    """

    def __init__(self, n_objectives: int, merit: Merit) -> None:
        self._trials: set[int] = set()
        self._ordered: list[float] = []
        self._fronts: list[list[Vector]] = []
        self._single = n_objectives == 1
        self._merit = merit

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, number: int) -> bool:
        return number in self._trials

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rung) and vars(self) == vars(other)

    def add(self, number: int, vector: Vector) -> None:
        """Record a trial."""
        self._trials.add(number)
        if self._single:
            insort(self._ordered, vector[0])
        else:
            self._place(vector)

    def behind(self, vector: Vector, share: float) -> bool:
        """Return whether a recorded vector is below the cutoff of the others.

        The cutoff is the percentile ``share`` of the others, interpolated as NumPy does. A single objective
        is its own score, so that the cutoff equals Ray's. Several objectives only have an order: vectors
        behind this one count -1, equal ones 0, vectors before it 1.
        """
        n = len(self._trials) - 1
        if not n:
            return False
        if self._single:
            own = bisect_left(self._ordered, vector[0])
            return vector[0] < _cut(lambda i: self._ordered[i + (i >= own)], n, share)
        worse, equal = self._standing(vector)
        # Keep trials at the cutoff; tolerate rounding.
        return _cut(lambda i: (i >= worse) + (i >= worse + equal) - 1.0, n, share) > 1e-9

    def _standing(self, vector: Vector) -> tuple[int, int]:
        """Count the vectors that rank behind a vector, and those that rank equal."""
        level = self._level(vector)
        front = self._fronts[level]
        # Rounding lets mirror-image rows tie, whatever their last bits.
        merit = self._merit(np.array(front)).round(12)
        own = merit[front.index(vector)]
        behind = sum(map(len, self._fronts[level + 1 :]))
        return behind + int((merit < own).sum()), int((merit == own).sum()) - 1

    def _level(self, vector: Vector) -> int:
        """The first front without a member that dominates a vector: where it is, or belongs."""
        return bisect_left(self._fronts, True, key=lambda front: not _dominated(vector, front))

    def _place(self, vector: Vector) -> None:
        """Put a vector on its front, and push on whom that dominates."""
        level, moving = self._level(vector), [vector]
        while moving and level < len(self._fronts):
            front = self._fronts[level]
            pushed = _exchange(front, moving)
            if len(front) == len(moving):  # all are pushed, and so are all fronts behind
                self._fronts.insert(level + 1, pushed)
                return
            moving, level = pushed, level + 1
        if moving:
            self._fronts.append(moving)


def _dominated(vector: Vector, front: list[Vector]) -> bool:
    """Return whether a member of a front dominates a vector."""
    if len(vector) == 2:
        # Of the members that are no worse in the first objective the first has the most of the second.
        at = bisect_left(front, vector[0], key=itemgetter(0))
        return at < len(front) and front[at][1] >= vector[1] and front[at] != vector
    rows = np.array(front)
    return bool(np.any(np.all(rows >= vector, axis=1) & np.any(rows > vector, axis=1)))


def _exchange(front: list[Vector], moving: list[Vector]) -> list[Vector]:
    """Put members on a front that no member of it dominates; return those that they dominate instead.

    All arguments and the result are in ascending order.
    """
    if len(moving[0]) == 2:  # whom they dominate are neighbours
        low = bisect_left(front, -moving[0][1], key=lambda row: -row[1])
        high = bisect_left(front, moving[-1])
        pushed, front[low:high] = front[low:high], moving
        return pushed
    rows, theirs = np.array(front)[:, np.newaxis], np.array(moving)
    worse = np.all(rows <= theirs, axis=2) & np.any(rows < theirs, axis=2)
    beaten = np.any(worse, axis=1).tolist()
    pushed = [row for row, out in zip(front, beaten, strict=True) if out]
    front[:] = sorted([*(row for row, out in zip(front, beaten, strict=True) if not out), *moving])
    return pushed


def _cut(value: Callable[[int], float], n: int, share: float) -> float:
    """Return NumPy's linear percentile, to the last bit; ``value(i)`` is the i-th smallest of n values."""
    at = (n - 1) * share
    low = math.floor(at)
    part = at - low
    below, above = value(low), value(min(low + 1, n - 1))
    step = above - below
    return below + step * part if part < 0.5 else above - step * (1 - part)
