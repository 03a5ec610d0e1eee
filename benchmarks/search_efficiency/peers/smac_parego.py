"""SMAC3 with ParEGO: a random forest on a weighted sum and maximum of objectives, with weights drawn anew."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, Float, Integer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from smac import HyperparameterOptimizationFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory import TrialValue

from benchmarks.search_efficiency.repair import repaired
from benchmarks.search_efficiency.simulator import Metrics
from tuning.ledger.encoding import flat
from tuning.space import Space


class ParEgo:
    """SMAC3's facade for hyperparameters with ``ParEGO``, asked and told, without early stopping.

    By default SMAC3 takes a training for noisy, and trains promising configs up to three times.

    Args:
        space: The search space; all objectives are maximised.
        seed: Seed of the draws.
        deterministic: Train each config only once.
    """

    def __init__(self, space: Space, seed: int, deterministic: bool = False) -> None:
        self._params, self._rng = space.params, np.random.default_rng(seed)
        self._epochs = space.base.epochs
        self._values: dict[Configuration, dict[str, Any]] = {}
        self._folder = TemporaryDirectory()
        searched = ConfigurationSpace(seed=seed)
        searched.add([hyperparameter(name, of) for name, of in flat(space.params).items()])
        scenario = Scenario(
            searched,
            output_directory=Path(self._folder.name),
            objectives=list(space.objectives),
            deterministic=deterministic,
            n_trials=space.search.trials,
            seed=seed,
        )
        self._smac = HyperparameterOptimizationFacade(
            scenario, multi_objective_algorithm=ParEGO(scenario), logging_level=False, overwrite=True
        )

    def begin(self) -> tuple[Any, Mapping[str, Any]]:
        """Ask SMAC3 for a config; one that it asks for again is repaired as before.

        Raises:
            RuntimeError: If SMAC3 has no other config.
        """
        try:
            trial = self._smac.ask()
        except StopIteration:
            raise RuntimeError("SMAC3 proposes no more configs") from None
        if trial.config not in self._values:
            self._values[trial.config] = repaired(self._params, dict(trial.config), self._rng)
        return trial, self._values[trial.config]

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Tell SMAC3 the costs of a whole training."""
        if epoch == self._epochs:
            self._smac.tell(trial, TrialValue([1 - value for value in metrics.values()]), save=False)
        return True

    def end(self, trial: Any, epoch: int) -> None:
        """Do nothing: SMAC3 has been told."""


def hyperparameter(name: str, distribution: BaseDistribution) -> Any:
    """Return ConfigSpace's form of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return Categorical(name, list(distribution.choices))
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    kind = Integer if isinstance(distribution, IntDistribution) else Float
    return kind(name, (distribution.low, distribution.high), log=distribution.log)
