"""Random searches without early stopping, computed without simulating searcher and ledger.

No proposal depends on a result, so all trials of a search are drawn and judged at once. Their order and the
clock are those of the simulator, to the last bit, at a hundredth of the cost.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from benchmarks.search_efficiency.simulator import Floats, History, Training
from tuning.ledger.encoding import decode
from tuning.sampling.points import Points
from tuning.space import Space


class Last(Protocol):
    """Learning curves of which only the last epoch counts."""

    def last(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives after the last epoch without noise, ``(n, objectives)``."""


class RandomSearch:
    """The trials of a random search.

    Args:
        curves: The learning curves.
        space: The search space.
        seed: Seed of the draws, noise and durations.
        epochs: Epochs of all trials together.
        workers: Largest number of concurrent trials.
    """

    def __init__(self, curves: Last, space: Space, *, seed: int, epochs: int, workers: int) -> None:
        rng, points = np.random.default_rng(seed), Points(space.params)
        trials = epochs // space.base.epochs + workers
        self._epochs = epochs
        self._reached = curves.last([decode(space.params, points.draw(rng)) for _ in range(trials)])
        self._durations = [Training(seed, i, space.base.epochs).durations for i in range(trials)]

    def history(self, workers: int) -> History:
        """Return the course of the search with a number of workers."""
        free = [0.0] * workers
        ends: Floats = np.empty((len(self._durations), len(self._durations[0])))
        for trial, durations in enumerate(self._durations):
            ends[trial] = np.add.accumulate([heapq.heappop(free), *durations])[1:]
            heapq.heappush(free, ends[trial, -1])
        order = np.argsort(ends[:, -1])
        clock = ends[order, -1]
        spent = np.searchsorted(np.sort(ends, axis=None), clock, side="right").astype(np.float64)
        paid = spent <= self._epochs
        return History(spent[paid], clock[paid], self._reached[order][paid])
