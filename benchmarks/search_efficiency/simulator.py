"""Simulated searches: the real searcher and scheduler, a simulated clock, and a surrogate for the training.

A worker asks the searcher for a trial, "trains" it epoch by epoch, and passes every report to the scheduler,
as Ray Tune would. Each epoch takes about one unit of time, with random deviations, so that workers do not
stay synchronous, like real ones. The seed and a trial's place in the search alone decide its noise and its
durations, so that searches of the same seed differ by their proposals only.
"""

import heapq
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from optuna.samplers import TPESampler
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks.search_efficiency.repair import repaired
from tuning.driver.protocol import Assignment, TrialReport
from tuning.driver.scheduler import scheduler_of
from tuning.driver.searcher import LedgerSearcher
from tuning.driver.warm_start import first_trials
from tuning.ledger.encoding import flat
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space

Floats = npt.NDArray[np.float64]
Metrics = Mapping[str, float]


class Curves(Protocol):
    """Learning curves that replace the training."""

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        """Return ``(epochs, objectives)`` values as a training would report them."""

    def truth(self, values: list[Mapping[str, Any]]) -> Floats:
        """Return ``(n, epochs, objectives)`` values without noise."""


class Strategy(Protocol):
    """A searcher together with a scheduler."""

    def begin(self) -> tuple[Any, Mapping[str, Any]] | None:
        """Return the next trial and its values; ``None`` if there is none at the moment.

        A trial that was stopped goes on where it was, if it is returned again.
        """

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Take an epoch's metrics; tell whether the trial continues."""

    def end(self, trial: Any, epoch: int) -> None:
        """Note the end of a trial, after its last epoch or stopped early."""


@dataclass(frozen=True)
class History:
    """The course of a search.

    Attributes:
        epochs: ``(n,)`` epochs trained by all workers, at each completion of a trial.
        clock: ``(n,)`` the clock at that time, in epochs of one worker.
        reached: ``(n, objectives)`` objectives of the completed trial, without noise.
        proposal: CPU seconds until a trial begins or goes on, on average; NaN if it was not measured.
    """

    epochs: Floats
    clock: Floats
    reached: Floats
    proposal: float = np.nan


class Goal(Protocol):
    """The goal of a search."""

    def met(self, reached: npt.ArrayLike) -> bool:
        """Tell whether complete trials with these objectives, without noise, are enough."""


class Training:
    """Noise and durations of a trial's training.

    Args:
        seed: Seed of the search.
        index: Number of trials that began before.
        epochs: Epochs of a whole training.
    """

    def __init__(self, seed: int, index: int, epochs: int) -> None:
        self.rng = np.random.default_rng((seed, index))
        self.durations = self.rng.lognormal(0, 0.1, epochs)


def simulate(
    strategy: Strategy,
    curves: Curves,
    space: Space,
    *,
    workers: int,
    epoch_budget: int,
    seed: int,
    goals: Sequence[Goal] = (),
) -> History:
    """Run a search until its workers have trained a number of epochs, or until it has met all goals.

    Args:
        strategy: The searcher and scheduler.
        curves: The learning curves.
        space: The search space.
        workers: Number of concurrent trials.
        epoch_budget: Epochs of all trials together.
        seed: Seed of the trainings' noise and durations.
        goals: What is enough; without any, only the epochs end the search.
    """
    names = list(space.objectives)
    order = itertools.count()  # breaks ties in the heap, because trials cannot be compared
    events: list[tuple[float, int, Any, Mapping[str, Any], Floats, Floats, int]] = []
    clock, spent, enough, thought, proposals = 0.0, 0, False, 0.0, 0
    begun = itertools.count()
    stopped: dict[int, tuple[Any, Floats, Floats, int]] = {}  # by identity, as trials may not be hashable
    found: list[Floats] = []
    rows: list[tuple[float, float]] = []

    def start() -> None:
        nonlocal thought, proposals
        while len(events) < workers:
            began = time.process_time()
            proposed = strategy.begin()
            thought += time.process_time() - began
            if proposed is None:
                return
            proposals += 1
            trial, values = proposed
            if id(trial) in stopped:
                _, curve, durations, epoch = stopped.pop(id(trial))
            else:
                training = Training(seed, next(begun), space.base.epochs)
                curve, durations, epoch = curves.curve(values, training.rng), training.durations, 0
            at = clock + durations[epoch]
            heapq.heappush(events, (at, next(order), trial, values, curve, durations, epoch + 1))

    start()
    while events and spent < epoch_budget and not enough:
        clock, _, trial, values, curve, durations, epoch = heapq.heappop(events)
        spent += 1
        metrics = dict(zip(names, curve[epoch - 1].tolist(), strict=True))
        goes_on = strategy.report(trial, epoch, metrics)
        if goes_on and epoch < len(curve):
            at = clock + durations[epoch]
            heapq.heappush(events, (at, next(order), trial, values, curve, durations, epoch + 1))
            continue
        strategy.end(trial, epoch)
        if epoch == len(curve):
            found.append(curves.truth([values])[0, -1])
            rows.append((spent, clock))
            enough = bool(goals) and all(goal.met(found) for goal in goals)
        else:
            stopped[id(trial)] = trial, curve, durations, epoch
        if not enough:
            start()
    epochs, clocks = np.array(rows).reshape(-1, 2).T
    return History(epochs, clocks, np.array(found).reshape(-1, len(names)), thought / max(1, proposals))


class Ours:
    """This project's searcher on its ledger, with Pareto ASHA or without early stopping.

    Args:
        space: The search space; its sampler, scheduler and first trials are compared.
        seed: Seed of the draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space.model_copy(update={"search": space.search.model_copy(update={"seed": seed})})
        self.ledger = Ledger.create(None, self._space, {}, first_trials(self._space))
        self.ledger.ready(SpaceSampler)
        queue = Queue(self.ledger)
        self._searcher = LedgerSearcher(queue, self._space, queue.over, Path("checkpoints"))
        self._scheduler = scheduler_of(self._space)

    def begin(self) -> tuple[Any, Mapping[str, Any]] | None:
        """Ask the searcher for a trial."""
        assignment = self._searcher.suggest("")
        if assignment is None or assignment == Searcher.FINISHED:
            return None
        number = Assignment.from_dict(assignment).number
        trial = SimpleNamespace(trial_id=str(number), config=assignment)
        return trial, self.ledger.begun(number).values

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Note the epoch in the ledger and ask the scheduler."""
        number = Assignment.from_dict(trial.config).number
        self.ledger.note_epoch(number, epoch, training={}, metrics=metrics, intervals={})
        result = TrialReport(epoch=epoch, training={}, metrics=metrics).to_dict()
        trial.last_result = result
        if self._scheduler is None:
            return True
        return self._scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE

    def end(self, trial: Any, epoch: int) -> None:
        """Report the end to scheduler and ledger."""
        if self._scheduler is not None:
            self._scheduler.on_trial_complete(None, trial, trial.last_result)
        number = Assignment.from_dict(trial.config).number
        self.ledger.end(number, full_budget=epoch == self._space.base.epochs)


class RayStock:
    """Ray's ASHA on the sum of the objectives, with Ray's ``OptunaSearch``.

    For Optuna a subset is one boolean per member; the nearest allowed set is trained.

    Args:
        space: The search space.
        seed: Seed of the draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._ids = itertools.count()
        sampler = TPESampler(n_startup_trials=space.search.startup, multivariate=True, seed=seed)
        self._searcher = OptunaSearch(flat(space.params), metric="score", mode="max", sampler=sampler)
        self._scheduler = AsyncHyperBandScheduler(
            time_attr="epoch", metric="score", mode="max", max_t=space.base.epochs, reduction_factor=2
        )

    def begin(self) -> tuple[Any, Mapping[str, Any]] | None:
        """Ask the searcher, and convert its draw to an allowed config."""
        trial = SimpleNamespace(trial_id=str(next(self._ids)), last_result=None)
        drawn = self._searcher.suggest(trial.trial_id)
        assert drawn is not None
        values = repaired(self._space.params, drawn, self._rng)
        self._scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]
        return trial, values

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Ask the scheduler about the sum of the objectives."""
        trial.last_result = {"epoch": epoch, "score": sum(metrics.values()), "training_iteration": epoch}
        decision = self._scheduler.on_trial_result(None, trial, trial.last_result)  # type: ignore[arg-type]
        if decision == TrialScheduler.CONTINUE:
            self._searcher.on_trial_result(trial.trial_id, trial.last_result)
        return bool(decision == TrialScheduler.CONTINUE)

    def end(self, trial: Any, epoch: int) -> None:
        """Report the end to scheduler and searcher."""
        self._scheduler.on_trial_complete(None, trial, trial.last_result)  # type: ignore[arg-type]
        self._searcher.on_trial_complete(trial.trial_id, trial.last_result)
