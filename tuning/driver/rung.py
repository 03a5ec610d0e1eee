"""A rung of early stopping: the trials recorded there, and the cut between them."""

import math
from bisect import bisect_left, insort
from collections.abc import Callable

import numpy as np

from tuning.pareto import Direction, FloatArray, fronts

Vector = tuple[float, ...]
"""A trial's objectives at an evaluation, each such that more is better."""
Merit = Callable[[FloatArray], FloatArray]
"""Merits `(n,)` of the `(n, m)` members of a front; more is better."""


class Rung:
    """Trials at a rung. They rank by the front that they are on, then by merit within it.

    A single objective needs no fronts, as it is its own rank.
    """

    def __init__(self, n_objectives: int, merit: Merit) -> None:
        self._trials: set[int] = set()
        self._vectors: list[Vector] = []  # ascending, so that the order of arrival leaves no trace
        self._directions: list[Direction] = ["maximize"] * n_objectives
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
        insort(self._vectors, vector)

    def behind(self, vector: Vector, share: float) -> bool:
        """Return whether a recorded vector is below the cutoff of the others.

        The cutoff is the percentile ``share`` of the others, interpolated as NumPy does. A single objective
        is its own score, so that the cutoff equals Ray's. Several objectives only have an order: vectors
        behind this one count -1, equal ones 0, vectors before it 1.
        """
        n = len(self._trials) - 1
        if not n:
            return False
        own = bisect_left(self._vectors, vector)
        if len(self._directions) == 1:
            return vector[0] < _cut(lambda i: self._vectors[i + (i >= own)][0], n, share)
        worse, equal = self._standing(own)
        # Keep trials at the cutoff; tolerate rounding.
        return _cut(lambda i: (i >= worse) + (i >= worse + equal) - 1.0, n, share) > 1e-9

    def _standing(self, own: int) -> tuple[int, int]:
        """Count the vectors that rank behind one of them, and the others that rank equal."""
        vectors = np.array(self._vectors)
        level = fronts(vectors, self._directions)
        front = level == level[own]
        # Rounding lets mirror-image rows tie, whatever their last bits.
        merit = self._merit(vectors[front]).round(12)
        mine = merit[front[:own].sum()]
        behind = int((level > level[own]).sum())
        return behind + int((merit < mine).sum()), int((merit == mine).sum()) - 1


def _cut(value: Callable[[int], float], n: int, share: float) -> float:
    """Return NumPy's linear percentile, to the last bit; ``value(i)`` is the i-th smallest of n values."""
    at = (n - 1) * share
    low = math.floor(at)
    part = at - low
    below, above = value(low), value(min(low + 1, n - 1))
    step = above - below
    return below + step * part if part < 0.5 else above - step * (1 - part)
