"""NePS's algorithms for several objectives, asked and told."""

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from neps.optimizers import load_optimizer
from neps.optimizers.ask_and_tell import AskAndTell
from neps.space import HPOCategorical, HPOFloat, HPOInteger, SearchSpace
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.search_efficiency.repair import repaired
from benchmarks.search_efficiency.simulator import Metrics
from tuning.ledger.encoding import flat
from tuning.space import Space

EPOCHS = "epochs"
"""The fidelity."""
NOTHING_TOLD = "need at least one array to concatenate"


class Neps:
    """An algorithm of NePS. It asks for trainings of some epochs, and goes on with those that it promotes.

    Args:
        space: The search space; all objectives are maximised.
        seed: Seed of the draws.
        algorithm: NePS's name of it.
    """

    def __init__(self, space: Space, seed: int, algorithm: str) -> None:
        self._params, self._rng = space.params, np.random.default_rng(seed)
        self._epochs = space.base.epochs
        self._trainings: dict[str, SimpleNamespace] = {}
        elements = {name: hyperparameter(of) for name, of in flat(space.params).items()}
        elements[EPOCHS] = HPOInteger(lower=1, upper=self._epochs, is_fidelity=True)
        optimizer, _ = load_optimizer(algorithm, SearchSpace(elements))
        self._neps = AskAndTell(optimizer)
        # NePS draws from the global generators only.
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)

    def begin(self) -> tuple[Any, Mapping[str, Any]] | None:
        """Ask NePS for a config, or for a training to go on with.

        NePS 0.17 raises an error if it would compare trials of which none has been told. A worker then waits.
        """
        try:
            asked = self._neps.ask()
        except ValueError as error:
            if NOTHING_TOLD in str(error) and any(t.report is None for t in self._neps.trials.values()):
                return None
            raise
        training = self._trainings.pop(asked.metadata.previous_trial_id or "", None)
        if training is None:
            drawn = {name: value for name, value in asked.config.items() if name != EPOCHS}
            training = SimpleNamespace(values=repaired(self._params, drawn, self._rng))
        training.id, training.until = asked.id, asked.config.get(EPOCHS, self._epochs)
        self._trainings[asked.id] = training
        return training, training.values

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Tell NePS the costs after the last epoch that it asked for."""
        if epoch < trial.until:
            return True
        self._neps.tell(trial.id, {"objective_to_minimize": [1 - value for value in metrics.values()]})
        return False

    def end(self, trial: Any, epoch: int) -> None:
        """Do nothing: NePS has been told."""


def hyperparameter(distribution: BaseDistribution) -> Any:
    """Return NePS's form of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return HPOCategorical(list(distribution.choices))
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    kind = HPOInteger if isinstance(distribution, IntDistribution) else HPOFloat
    return kind(lower=distribution.low, upper=distribution.high, log=distribution.log)
