"""Thompson sampling of trade-offs: what a Gaussian process thinks may add most to the front comes next."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from tuning.gaussian_process import FloatArray, GaussianProcess
from tuning.pareto import improvements, non_dominated
from tuning.points import Point, change, draw, features
from tuning.space import Space
from tuning.trials import read

CANDIDATES = 400
"""Points that a proposal is chosen from: half random, half changes of the most promising trials."""
GROWTH = 1.15
"""By how much the judgements must have grown before the parameters of the processes are tuned again."""
MOST = 500
"""Trials, the latest, that the processes learn from: the cost of a proposal grows with their cube."""
TUNED = 200
"""Trials, the latest, that the parameters are tuned to."""


class GPSampler(BaseSampler):
    """Proposes trials by the hypervolume that they add under a random guess of all objectives.

    One Gaussian process an objective learns from every trial's last evaluation, be it unfinished, stopped
    early or whole. A proposal draws one function of each, so that trials proposed at the same time differ,
    and takes the candidate that would add most to the hypervolume of the trials that are complete or
    running, as those functions have it: the luck of a trial's seed does not count, nor is a running trial
    proposed twice. This is Thompson sampling for the hypervolume, as in TSEMO (Bradford et al., "Efficient
    multiobjective optimization employing Gaussian processes, spectral sampling and a genetic algorithm",
    Journal of Global Optimization 71, 2018).

    An infeasible trial counts as the worst seen in every objective.

    Args:
        space: What to draw from.
        rng: The generator of all draws.
    """

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng
        self._directions = list(space.objectives.values())
        self._processes: list[GaussianProcess] = []
        self._tuned = 0

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: a proposal is a whole point."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Point:
        """A whole point; empty for as long as there are too few trials to learn from."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number and t.params]
        if len(others) < self._space.search.startup_trials:
            return {}
        judged = self._judgements(others)
        if len(judged) < 2:
            return {}
        seen, training, figures = zip(*judged, strict=True)
        self._learn(features(self._space.params, seen), np.array(training), np.array(figures))
        standing = [t.params for t in others if t.state in (TrialState.COMPLETE, TrialState.RUNNING)]
        return self._best(self._candidates(seen), standing)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never asked: a proposal is a whole point."""
        raise NotImplementedError(param_name)

    def _judgements(self, trials: Sequence[FrozenTrial]) -> list[tuple[Point, float, list[float]]]:
        """Point, logarithm of the share of the training done, and objectives of each trial that has any."""
        judged: list[tuple[Point, float, list[float]]] = []
        infeasible: list[Point] = []
        names, epochs = list(self._space.objectives), self._space.base.epochs
        for trial in trials:
            if any(violated > 0 for violated in trial.constraints.values()):
                infeasible.append(trial.params)
            elif trial.state == TrialState.COMPLETE:
                judged.append((trial.params, 0.0, trial.values))
            elif trial.state != TrialState.FAIL:
                history = read(trial, self._space).history
                if history:
                    epoch = max(history)
                    figures = [history[epoch][name] for name in names]
                    judged.append((trial.params, np.log2(epoch / epochs), figures))
        if judged and infeasible:
            figures = np.array([figures for _, _, figures in judged])
            best_last = np.where(np.array(self._directions) == "maximize", figures.min(0), figures.max(0))
            judged += [(point, 0.0, best_last.tolist()) for point in infeasible]
        return judged[-MOST:]

    def _learn(self, x: FloatArray, training: FloatArray, figures: FloatArray) -> None:
        if not self._processes:
            self._processes = [GaussianProcess(x.shape[1]) for _ in self._directions]
        grown = len(x) >= GROWTH * self._tuned
        for process, y in zip(self._processes, figures.T, strict=True):
            if grown:
                process.tune(x[-TUNED:], training[-TUNED:], y[-TUNED:])
            process.fit(x, training, y)
        if grown:
            self._tuned = len(x)

    def _candidates(self, seen: Sequence[Point]) -> list[Point]:
        params, rng = self._space.params, self._rng
        x = features(params, seen)
        expected = np.stack([process.predict(x) for process in self._processes], axis=1)
        promising = np.flatnonzero(non_dominated(expected, self._directions))
        near = [change(seen[i], params, rng) for i in rng.choice(promising, CANDIDATES // 2)]
        return near + [draw(params, rng) for _ in range(CANDIDATES // 2)]

    def _best(self, candidates: list[Point], standing: Sequence[Mapping[str, Any]]) -> Point:
        x = features(self._space.params, [*candidates, *standing])
        # Every objective that counts lies from 0 to 1, whatever a drawn function says.
        drawn = np.stack([process.sample(x, self._rng) for process in self._processes], axis=1).clip(0, 1)
        n = len(candidates)
        added = improvements(drawn[:n], drawn[n:], self._space.reference, self._directions)
        return candidates[int(added.argmax())]
