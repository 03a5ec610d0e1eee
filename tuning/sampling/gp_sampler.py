"""Thompson sampling of trade-offs: the next trial is the one that may add most to the front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from tuning.ledger.encoding import is_whole
from tuning.ledger.trials import PAPER, history
from tuning.pareto import Direction, improvements, non_dominated
from tuning.sampling.gaussian_process import FloatArray, GaussianProcess
from tuning.sampling.news import News
from tuning.sampling.points import Point, Points
from tuning.space import Space

CANDIDATES = 400
"""Number of points that a proposal is chosen from: half random, half changes of the most promising trials."""
GROWTH = 1.15
"""Growth factor of the evaluations after which the parameters of the processes are tuned again."""
MOST = 1000
"""Number of latest evaluations that the processes learn from, in addition to those of the front. The cost of
a proposal grows with the cube of this number."""
TUNED = 300
"""Number of latest evaluations that the parameters are tuned to."""


@dataclass(frozen=True)
class Look:
    """A trial as the sampler sees it.

    Attributes:
        number: Number of the trial.
        point: Parameters that the trial drew.
        row: ``(f,)`` features of the point.
        judged: Evaluations of the trial: base-2 logarithm of the share of the training that was done, and the
            objectives, NaN if infeasible.
    """

    number: int
    point: Point
    row: FloatArray
    judged: list[tuple[float, list[float]]]


@dataclass(frozen=True)
class Judgements:
    """Evaluations of ended and running trials.

    Attributes:
        trial: ``(n,)`` position of the evaluated trial in the list of trials.
        training: ``(n,)`` base-2 logarithm of the share of the training that was done; 0 is all of it.
        metrics: ``(n, objectives)`` the objectives.
    """

    trial: npt.NDArray[np.int64]
    training: FloatArray
    metrics: FloatArray


class GPSampler(BaseSampler):
    """Proposes trials by Thompson sampling for the hypervolume.

    A Gaussian process for each objective learns from evaluations after the whole training, a half, a quarter
    and so on, of trials that are complete, stopped early or running. A proposal draws one function from each
    process, so that trials proposed at the same time differ. The proposal is the candidate that would add
    most to the hypervolume of the complete and running trials under these functions. So the luck of a trial's
    seed does not count, and a running trial is not proposed twice. This is the choice of TSEMO (Bradford et
    al., "Efficient multiobjective optimization employing Gaussian processes, spectral sampling and a genetic
    algorithm", Journal of Global Optimization 71, 2018).

    With ``search.aim: baseline`` only what is better than the paper's settings in every objective counts: the
    hypervolume is measured from their values under the same functions. While no candidate is better, the
    proposal is the one that comes nearest to it.

    An infeasible trial counts as the worst seen in every objective.

    Args:
        space: The search space.
        rng: The generator of all draws.
    """

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        self._space = space
        self._points = Points(space.params)
        self._rng = rng
        self._directions = list(space.objectives.values())
        self._processes: list[GaussianProcess] = []
        self._tuned = 0
        self._news = News()
        self._looks: dict[int, Look] = {}
        self._front: list[Look] = []
        self._tried: set[bytes] = set()
        self._baseline: FloatArray | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return an empty space: a proposal is a whole point."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Point:
        """Return a whole point that was not tried; empty while there are too few trials to learn from."""
        # The matrices are small: more threads only take cores from trials, which are trained meanwhile.
        with threadpool_limits(1, "blas"):
            return self._propose(study, trial)

    def _propose(self, study: Study, trial: FrozenTrial) -> Point:
        # 1. Read the new evaluations; return nothing until they are enough for the processes.
        running = self._look(study.get_trials(deepcopy=False), trial.number)
        if len(self._looks) < self._space.search.startup:
            return {}
        latest = self._latest()
        judged = self._judgements(latest)
        if len(judged.trial) < 2:
            return {}
        # 2. Fit the processes, and draw candidates that were not tried.
        x = np.stack([look.row for look in latest])
        self._learn(x[judged.trial], judged)
        candidates = self._candidates(x, judged.trial, [look.point for look in latest])
        rows = self._points.features(candidates)
        new = np.flatnonzero([row.tobytes() not in self._tried for row in rows])
        if not len(new):
            return {}
        # 3. Choose the candidate that adds most to the complete and running trials.
        complete = x[judged.trial[judged.training == 0]]
        standing = np.concatenate([complete, *(look.row[None] for look in running)])
        best: Point = candidates[new[self._best(rows[new], standing)]]
        return best

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Raise an error: Optuna never calls this, as a proposal is a whole point."""
        raise NotImplementedError(param_name)

    def _look(self, trials: Sequence[FrozenTrial], asking: int) -> list[Look]:
        """Read the new and the running trials; return those that run."""
        running = []
        for trial in self._news.of(trials):
            if trial.number == asking or not is_whole(self._space.params, trial.params):
                continue
            row = self._points.features([trial.params])[0]
            look = Look(trial.number, trial.params, row, self._judged(trial))
            self._looks[trial.number] = look
            self._tried.add(row.tobytes())
            if trial.user_attrs.get("origin") == PAPER:
                self._baseline = row
            if trial.state == TrialState.RUNNING:
                running.append(look)
            elif look.judged and look.judged[-1][0] == 0 and not np.isnan(look.judged[-1][1]).any():
                rivals = [*self._front, look]
                keep = non_dominated([rival.judged[-1][1] for rival in rivals], self._directions)
                self._front = [rival for rival, kept in zip(rivals, keep, strict=True) if kept]
        return running

    def _latest(self) -> list[Look]:
        """Return the trials of the latest ``MOST`` evaluations and those of the front, by number."""
        chosen, evaluations = {look.number: look for look in self._front}, 0
        for number in sorted(self._looks, reverse=True):
            if evaluations >= MOST:
                break
            chosen[number] = self._looks[number]
            evaluations += len(self._looks[number].judged)
        return [chosen[number] for number in sorted(chosen)]

    def _judgements(self, looks: Sequence[Look]) -> Judgements:
        found = [(i, *judged) for i, look in enumerate(looks) for judged in look.judged]
        n, m = len(found), len(self._directions)
        trial = np.array([i for i, _, _ in found], dtype=np.int64)
        training = np.array([training for _, training, _ in found])
        metrics = np.array([metrics for _, _, metrics in found], dtype=np.float64).reshape(n, m)
        # Infeasible evaluations count as the worst of the feasible ones; without any there is no worst.
        infeasible = np.isnan(metrics).any(axis=1)
        if infeasible.all():
            return Judgements(trial[:0], training[:0], metrics[:0])
        measured, maximised = metrics[~infeasible], np.array(self._directions) == "maximize"
        metrics[infeasible] = np.where(maximised, measured.min(axis=0), measured.max(axis=0))
        return Judgements(trial, training, metrics)

    def _judged(self, trial: FrozenTrial) -> list[tuple[float, list[float]]]:
        """Return evaluations of a trial: logarithm of the share of the training done, and the objectives.

        The objectives of infeasible trials are NaN, also while they run. Among the evaluations of a trial,
        the last one up to each halving of the training is taken: the whole training, a half, a quarter and
        so on.
        """
        if trial.state == TrialState.FAIL or "repeats" in trial.user_attrs:
            return []
        if any(violated > 0 for violated in trial.constraints.values()):
            return [(0.0, [np.nan] * len(self._directions))]
        judged: dict[float, tuple[float, list[float]]] = {}
        for epoch, metrics in history(trial.user_attrs).items():
            training = float(np.log2(epoch / self._space.base.epochs))
            objectives = [metrics.get(name, np.nan) for name in self._space.objectives]
            judged[np.ceil(training)] = training, objectives
        if trial.state == TrialState.COMPLETE:
            judged[0] = 0.0, trial.values
        return list(judged.values())

    def _learn(self, x: FloatArray, judged: Judgements) -> None:
        if not self._processes:
            self._processes = [GaussianProcess(x.shape[1]) for _ in self._directions]
        # Counted over all evaluations, as the number of those that are learned from stops growing.
        known = sum(len(look.judged) for look in self._looks.values())
        grown = known >= GROWTH * self._tuned
        for process, y in zip(self._processes, judged.metrics.T, strict=True):
            if grown:
                process.tune(x, judged.training, y, TUNED)
            process.fit(x, judged.training, y)
        if grown:
            self._tuned = known

    def _candidates(
        self, x: FloatArray, judged: npt.NDArray[np.int64], points: Sequence[Point]
    ) -> list[Point]:
        """Draw candidates: changes of the trials that are expected on the front, and random points."""
        rng = self._rng
        expected = np.stack([process.predict(x[judged]) for process in self._processes], axis=1)
        promising = judged[non_dominated(expected, self._directions)]
        near = [self._points.change(points[i], rng) for i in rng.choice(promising, CANDIDATES // 2)]
        return near + [self._points.draw(rng) for _ in range(CANDIDATES // 2)]

    def _best(self, x: FloatArray, standing: FloatArray) -> int:
        """Return the index of the candidate that adds most to the standing trials under one draw."""
        aim = self._baseline if self._space.search.aim == "baseline" else None
        both = np.concatenate([x, standing, *([] if aim is None else [aim[None]])])
        drawn = np.stack([process.sample(both, self._rng) for process in self._processes], axis=1)
        # A drawn function may exceed the best possible value, which no metric can.
        maximised, perfect = np.array(self._directions) == "maximize", self._space.perfect
        drawn = np.where(maximised, np.minimum(drawn, perfect), np.maximum(drawn, perfect))
        candidates, standing = drawn[: len(x)], drawn[len(x) :]
        level = self._space.reference if aim is None else drawn[-1]
        merit = improvements(candidates, standing, level, self._directions)
        if not merit.any() and aim is None:
            merit = non_dominated(candidates, self._directions).astype(np.float64)
        elif not merit.any():
            merit = nearness(candidates, level, self._directions)
        return int(merit.argmax())


def nearness(candidates: FloatArray, level: npt.ArrayLike, directions: Sequence[Direction]) -> FloatArray:
    """Return how near each of ``(n, m)`` candidates is to a level in its worst objective; above 0 is better.

    The unit of an objective is its spread over the candidates.
    """
    signs = np.where(np.array(directions) == "maximize", 1.0, -1.0)
    gains = (candidates - np.asarray(level)) * signs / np.maximum(candidates.std(axis=0), 1e-12)
    nearest: FloatArray = gains.min(axis=1)
    return nearest
