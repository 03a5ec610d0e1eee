"""Optuna's samplers over a space, with every proposed subset allowed."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study, Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from tuning.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.settings import SearchSettings
from tuning.space import Space


def suggest(trial: Trial, params: Mapping[str, Param]) -> dict[str, Any]:
    """Have a trial draw all it needs, in this order: every parameter, then the strengths of chosen members.

    Returns:
        A value for each parameter and strength.
    """
    for name, distribution in distributions(params).items():
        _suggest(trial, name, distribution)
    for name, distribution in _strengths(params, trial.params).items():
        _suggest(trial, name, distribution)
    return decode(params, trial.params)


def is_whole(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> bool:
    """Whether a trial has drawn all it needs; a driver may die while it draws."""
    return distributions(params).keys() <= drawn.keys() and _strengths(params, drawn).keys() <= drawn.keys()


def encode(params: Mapping[str, Param], values: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each parameter and strength, as what Optuna draws."""
    drawn = dict(values)
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            chosen = drawn.pop(key)
            drawn |= {f"{key}.{member}": member in chosen for member in param.members}
    return drawn


def decode(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What Optuna drew, as a value for each parameter and strength; the inverse of ``encode``."""
    values = {
        key: _chosen(key, param, drawn) if isinstance(param, SubsetParam) else drawn[key]
        for key, param in params.items()
    }
    return values | {name: drawn[name] for name in _strengths(params, drawn)}


class SpaceSampler(BaseSampler):
    """Draws whole trials of a space, first at random, then as one of Optuna's samplers proposes.

    A random subset has a size drawn uniformly from the allowed ones, then members drawn uniformly: small sets
    are as likely as large ones. The samplers draw every boolean by itself and know of no rules; the nearest
    allowed subset replaces one that breaks them. A proposal that was tried before gives way to a random one.
    Either way what Optuna records is what is trained.

    Args:
        space: What to draw from.
        seed: Seed of all draws. Re-opening a study must not repeat them: derive the seed from the number of
            trials already there.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._params = space.params
        self._rng = np.random.default_rng(seed)
        self._random = RandomSampler(seed)
        self._inner = _sampler(space.search, seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All of the space that has more than one value: nothing is drawn independently."""
        everything = distributions(self._params) | _strengths(self._params)
        return {name: d for name, d in everything.items() if not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A trial's parameters; of strengths also those of members that were not chosen."""
        drawn = self._draw(study, trial, search_space)
        known = self._inner.infer_relative_search_space(study, trial)
        proposed = drawn | self._inner.sample_relative(study, trial, known)
        for key, param in self._params.items():
            if isinstance(param, SubsetParam):
                self._choose(key, param, param.repair(_chosen(key, param, proposed), self._rng), proposed)
        return drawn if self._tried(study, trial, proposed) else proposed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never needed for a parameter of the space; Optuna requires it."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler prepare."""
        self._inner.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Let the sampler learn how a trial ended."""
        self._inner.after_trial(study, trial, state, values)

    def _draw(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = {
            name: self._random.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }
        for key, param in self._params.items():
            if isinstance(param, SubsetParam):
                self._choose(key, param, param.draw(self._rng), drawn)
        return drawn

    def _choose(self, key: str, param: SubsetParam, chosen: Sequence[str], drawn: dict[str, Any]) -> None:
        drawn |= {f"{key}.{member}": member in chosen for member in param.members}

    def _tried(self, study: Study, trial: FrozenTrial, drawn: Mapping[str, Any]) -> bool:
        used = {*distributions(self._params), *_strengths(self._params, drawn)}
        params = {name: value for name, value in drawn.items() if name in used}
        others = study.get_trials(deepcopy=False)
        return any(params.items() <= other.params.items() for other in others if other.number != trial.number)


def _sampler(settings: SearchSettings, seed: int) -> BaseSampler:
    startup = settings.startup_trials
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match settings.sampler:
            case "tpe":
                return TPESampler(n_startup_trials=startup, multivariate=True, group=True, seed=seed)
            case "nsga2":
                return NSGAIISampler(population_size=startup, seed=seed)
            case "gp":
                return GPSampler(n_startup_trials=startup, seed=seed)
            case "random":
                return RandomSampler(seed)


def distributions(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """What every trial draws: a subset as one boolean a member, ``key.member``; every bound is included."""
    result: dict[str, BaseDistribution] = {}
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            result |= {f"{key}.{member}": CategoricalDistribution([False, True]) for member in param.members}
        elif isinstance(param, CategoricalParam):
            result[key] = CategoricalDistribution(param.choices)
        else:
            result[key] = _number(param)
    return result


def _strengths(
    params: Mapping[str, Param], drawn: Mapping[str, Any] | None = None
) -> dict[str, BaseDistribution]:
    """What a trial draws besides, once it has chosen its subsets; without ``drawn``, what it might."""
    return {
        name: _number(strength)
        for key, param in params.items()
        if isinstance(param, SubsetParam)
        for name, strength in param.strength_params(
            param.members if drawn is None else _chosen(key, param, drawn)
        ).items()
    }


def _number(param: FloatParam | IntParam) -> BaseDistribution:
    if isinstance(param, FloatParam):
        return FloatDistribution(param.low, param.high, log=param.log, step=param.step)
    return IntDistribution(param.low, param.high, log=param.log, step=param.step or 1)


def _chosen(key: str, param: SubsetParam, drawn: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(member for member in param.members if drawn.get(f"{key}.{member}"))


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, FloatDistribution):
        trial.suggest_float(
            name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(
            name, distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    elif isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
