"""Syne Tune's multi-objective ASHA: random draws, stopped early by rank in non-dominated fronts."""

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from syne_tune import config_space
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

from benchmarks.search_efficiency.repair import repaired
from benchmarks.search_efficiency.simulator import Metrics
from tuning.ledger.encoding import flat
from tuning.space import Space


class MultiObjectiveAsha:
    """Syne Tune's ``MOASHA`` with its own rungs, told the epochs of a whole training.

    Args:
        space: The search space; all objectives are maximised.
        seed: Seed of the draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._params, self._rng = space.params, np.random.default_rng(seed)
        self._ids = itertools.count()
        domains = {name: domain(of) for name, of in flat(space.params).items()}
        self._scheduler = MOASHA(
            domains,
            metrics=list(space.objectives),
            do_minimize=False,
            time_attr="epoch",
            max_t=space.base.epochs,
            random_seed=seed,
        )
        # The scheduler draws from NumPy's global generator, whatever its own seed is.
        np.random.seed(seed)  # noqa: NPY002

    def begin(self) -> tuple[Any, Mapping[str, Any]]:
        """Ask the scheduler for a draw."""
        drawn = self._scheduler.suggest().config
        trial = Trial(next(self._ids), drawn, datetime.now())
        self._scheduler.on_trial_add(trial)
        return trial, repaired(self._params, drawn, self._rng)

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Ask the scheduler whether the trial continues."""
        decision = self._scheduler.on_trial_result(trial, {"epoch": epoch, **metrics})
        return bool(decision == SchedulerDecision.CONTINUE)

    def end(self, trial: Any, epoch: int) -> None:
        """Remove the trial, as Syne Tune's tuner does after the scheduler's decision to stop."""
        self._scheduler.on_trial_remove(trial)


def domain(distribution: BaseDistribution) -> Any:
    """Return Syne Tune's form of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return config_space.choice(list(distribution.choices))
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution):
        return (config_space.lograndint if distribution.log else config_space.randint)(low, high)
    return (config_space.loguniform if distribution.log else config_space.uniform)(low, high)
