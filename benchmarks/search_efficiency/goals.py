"""The goals of searches: a share of the best known hypervolume, from one of two reference points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.search_efficiency.simulator import History
from benchmarks.search_efficiency.surrogate import Surrogate
from tuning.ledger.encoding import decode
from tuning.pareto import Direction, GrowingFront, hypervolume, non_dominated
from tuning.sampling.points import Point, Points
from tuning.space import Space

Floats = npt.NDArray[np.float64]
Reference = tuple[float, float]
Values = dict[str, Any]

REFERENCES: tuple[Reference, ...] = ((0.0, 0.0), (0.5, 0.5))
"""From (0, 0) a single good trial holds most of the hypervolume; (0.5, 0.5) asks for the front itself."""
SHARES = (0.9, 0.95, 0.98)
DIRECTIONS: tuple[Direction, Direction] = ("maximize", "maximize")


@dataclass(frozen=True)
class Goal:
    """A hypervolume to reach.

    Attributes:
        reference: The worst point that counts.
        share: Share of the best known hypervolume.
        volume: The hypervolume, without noise, that is this share.
    """

    reference: Reference
    share: float
    volume: float

    def __str__(self) -> str:
        first, second = self.reference
        return f"{self.share:.0%} of the best known hypervolume from ({first:g}, {second:g})"

    def met(self, reached: npt.ArrayLike) -> bool:
        """Tell whether complete trials reach the goal."""
        return hypervolume(reached, self.reference, DIRECTIONS) >= self.volume


def goals_of(front: Floats) -> list[Goal]:
    """Return all goals, from the best known front ``(n, 2)``."""
    best = {reference: hypervolume(front, reference, DIRECTIONS) for reference in REFERENCES}
    return [Goal(reference, share, share * best[reference]) for reference in REFERENCES for share in SHARES]


def best_front(surrogate: Surrogate, space: Space, seed: int = 0) -> tuple[list[Values], Floats]:
    """Search for the front without noise, from random points, then changes of the best.

    Returns:
        The values of its members, and their objectives ``(n, 2)``.
    """
    rng, drawn = np.random.default_rng(seed), Points(space.params)

    def reached_by(points: Sequence[Point]) -> Floats:
        return surrogate.last([decode(space.params, point) for point in points])

    points = [drawn.draw(rng) for _ in range(20000)]
    reached = reached_by(points)
    for _ in range(60):
        front = np.flatnonzero(non_dominated(reached, DIRECTIONS))
        changed = [drawn.change(points[i], rng) for i in rng.choice(front, 1000)]
        points = [points[i] for i in front] + changed
        reached = np.concatenate([reached[front], reached_by(changed)])
    best = np.flatnonzero(non_dominated(reached, DIRECTIONS))
    return [decode(space.params, points[i]) for i in best], reached[best]


def volumes(reached: Floats, reference: Reference) -> Floats:
    """Return the hypervolume after each completed trial, ``(n,)``, from objectives ``(n, 2)``."""
    front, found = GrowingFront(reference, DIRECTIONS), np.zeros(len(reached))
    for i, row in enumerate(reached):
        if not (front.rows >= row).all(axis=1).any():
            front.add(row)
        found[i] = front.hypervolume
    return found


def arrival(history: History, goal: Goal) -> tuple[float, float]:
    """Return the epochs and the clock at which a search reached a goal; infinite if it did not."""
    arrived = np.flatnonzero(volumes(history.reached, goal.reference) >= goal.volume)
    if not len(arrived):
        return np.inf, np.inf
    return float(history.epochs[arrived[0]]), float(history.clock[arrived[0]])
