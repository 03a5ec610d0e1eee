"""The trials that a metric needs, and how sure it is: one rule for importances, effects and interactions.

A figure compares trials: with a member and without it, with lower values of a setting and higher ones. It is
given if each side has :data:`SUPPORT` trials at least, and comes with a 95 % interval. Few trials make wide
intervals; fewer than that make none that means anything.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SUPPORT = 3
"""Fewest trials on each side of a comparison."""
NOT_ENOUGH = "not enough trials"
"""Words in place of a metric."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its uncertainty.

    Attributes:
        mean: Its mean.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Sequence[float] | npt.NDArray[np.float64]) -> "Estimate":
        """Sum up draws, `(n,)`, of a posterior or of a bootstrap."""
        low, high = np.quantile(draws, [0.025, 0.975])
        return cls(float(np.mean(draws)), float(low), float(high))

    @property
    def clear(self) -> bool:
        """Return whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def enough(*sides: int) -> bool:
    """Return whether there are enough trials on each side of a comparison."""
    return min(sides) >= SUPPORT


def sides(values: Sequence[bool | int | float | str], *, ordered: bool) -> tuple[int, int]:
    """Count the trials that a setting's values set against each other.

    Args:
        values: The setting's value in each trial that has it.
        ordered: Whether the setting is a number, which is cut where the sides are most even; else its two
            most frequent values are compared.

    Returns:
        Trials on each side: above and below the cut, or with the most and the second most frequent value. If
        there is but one value, the other side is 0.
    """
    counts = Counter(values)
    if not ordered:
        (_, most), (_, second) = [*counts.most_common(2), (None, 0)][:2]
        return most, second
    below = np.cumsum([counts[value] for value in sorted(counts)])  # after each distinct value
    cut = int(below[np.abs(below - len(values) / 2).argmin()]) if len(counts) > 1 else len(values)
    return len(values) - cut, cut
