"""The rule for enough trials, and estimates with intervals: for importances, effects and interactions.

An estimate compares trials: with a member and without it, or with lower values of a setting and higher ones.
It is reported if each side has at least :data:`SUPPORT` trials, and comes with a 95 % interval. Few trials
give wide intervals; with fewer than :data:`SUPPORT` an interval means nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SUPPORT = 3
"""Fewest trials on each side of a comparison."""
FEWEST_TRIALS = 8
"""Fewest complete trials for an analysis."""
NOT_ENOUGH = "not enough trials"
"""Text in place of an estimate."""


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Sequence[float] | npt.NDArray[np.float64]) -> "Estimate":
        """Summarise draws, `(n,)`, of a posterior or of a bootstrap."""
        low, high = np.quantile(draws, [0.025, 0.975])
        return cls(float(np.mean(draws)), float(low), float(high))

    @property
    def clear(self) -> bool:
        """True if the interval excludes 0."""
        return self.low > 0 or self.high < 0


def enough(*sides: int) -> bool:
    """Return whether there are enough trials on each side of a comparison."""
    return min(sides) >= SUPPORT


def sides(values: Sequence[bool | int | float | str], *, ordered: bool) -> tuple[int, int]:
    """Count the trials on both sides of a comparison by a setting's values.

    Args:
        values: The setting's value in each trial that has it.
        ordered: Whether the setting is a number. A number is cut so that the sides are most even; otherwise
            the two most frequent values are compared.

    Returns:
        Trials on each side: above and below the cut, or with the most and the second most frequent value. If
        there is only one value, the other side is 0.
    """
    counts = Counter(values)
    if not ordered:
        # The appended zero stands for the second value if there is only one.
        (_, most), (_, second) = [*counts.most_common(2), (None, 0)][:2]
        return most, second
    below = np.cumsum([counts[value] for value in sorted(counts)])  # after each distinct value
    cut = int(below[np.abs(below - len(values) / 2).argmin()]) if len(counts) > 1 else len(values)
    return len(values) - cut, cut
