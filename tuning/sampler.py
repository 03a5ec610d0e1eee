"""Optuna's samplers over a space, with every proposed subset feasible."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from tuning.params import CategoricalParam, FloatParam, Param, SubsetParam
from tuning.space import Space


def distributions(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """What Optuna draws: every bound is included; a subset is one boolean a member, ``key.member``."""
    result: dict[str, BaseDistribution] = {}
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            result |= {f"{key}.{member}": CategoricalDistribution([False, True]) for member in param.members}
        elif isinstance(param, CategoricalParam):
            result[key] = CategoricalDistribution(param.choices)
        elif isinstance(param, FloatParam):
            result[key] = FloatDistribution(param.low, param.high, log=param.log, step=param.step)
        else:
            result[key] = IntDistribution(param.low, param.high, log=param.log, step=param.step or 1)
    return result


def encode(params: Mapping[str, Param], values: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each parameter, as what Optuna draws."""
    drawn: dict[str, Any] = {}
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            drawn |= {f"{key}.{member}": member in values[key] for member in param.members}
        else:
            drawn[key] = values[key]
    return drawn


def decode(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What Optuna drew, as a value for each parameter; the inverse of ``encode``."""
    return {
        key: tuple(member for member in param.members if drawn[f"{key}.{member}"])
        if isinstance(param, SubsetParam)
        else drawn[key]
        for key, param in params.items()
    }


class SpaceSampler(BaseSampler):
    """Draws whole trials of a space, first at random, then as Optuna's multi-objective TPE proposes.

    A random subset has a size drawn uniformly from the allowed ones, then members drawn uniformly: small sets
    are as likely as large ones. TPE draws every boolean by itself and knows no sizes: too large a subset
    loses, too small a one gains members at random. Either way what Optuna records is what is trained.

    Args:
        space: What to draw from.
        seed: Seed of all draws. Re-opening a study must not repeat them: derive the seed from the number of
            trials already there.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._params = space.params
        self._distributions = distributions(space.params)
        self._rng = np.random.default_rng(seed)
        self._random = RandomSampler(seed)
        self._tpe = None
        if space.search.sampler == "tpe":
            self._tpe = TPESampler(n_startup_trials=space.search.startup_trials, multivariate=True, seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All of the space that has more than one value: nothing is drawn independently."""
        return {name: d for name, d in self._distributions.items() if not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A trial's parameters."""
        proposed = self._tpe.sample_relative(study, trial, search_space) if self._tpe else {}
        if not proposed:
            return self._draw(study, trial, search_space)
        for key, param in self._params.items():
            if isinstance(param, SubsetParam):
                self._repair(key, param, proposed)
        return proposed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never needed for a parameter of the space; Optuna requires it."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _draw(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = {
            name: self._random.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }
        for key, param in self._params.items():
            if isinstance(param, SubsetParam):
                size = self._rng.integers(param.min_size, param.largest, endpoint=True)
                chosen = self._rng.choice(param.members, size, replace=False)
                drawn |= {f"{key}.{member}": member in chosen for member in param.members}
        return drawn

    def _repair(self, key: str, param: SubsetParam, drawn: dict[str, Any]) -> None:
        chosen = [member for member in param.members if drawn[f"{key}.{member}"]]
        others = [member for member in param.members if member not in chosen]
        for member in self._rng.permutation(chosen)[param.largest :]:
            drawn[f"{key}.{member}"] = False
        for member in self._rng.permutation(others)[: max(param.min_size - len(chosen), 0)]:
            drawn[f"{key}.{member}"] = True
