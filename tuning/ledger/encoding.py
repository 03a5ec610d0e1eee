"""Encoding of a trial's values as Optuna's parameters: a subset becomes one boolean for each member."""

from collections.abc import Collection, Mapping
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam, used

_EITHER = CategoricalDistribution([False, True])
"""The distribution of a member: in the subset or not."""


def suggest(trial: Trial, params: Mapping[str, Param]) -> dict[str, Any]:
    """Draw all parameters of a trial.

    The order is: the method, if it is searched; every parameter that the method uses; the strengths of the
    chosen members.
    """
    # Each step depends on the last: the method decides the parameters, the members decide the strengths.
    _suggest_all(trial, distributions({key: params[key] for key in params if key == "method"}))
    _suggest_all(trial, distributions(used(params, trial.params)))
    _suggest_all(trial, strengths(params, trial.params))
    return decode(params, trial.params)


def is_whole(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> bool:
    """Return whether a trial has drawn all its parameters; a driver may die while it draws."""
    return needed(params, drawn).keys() <= drawn.keys()


def encode(params: Mapping[str, Param], values: Mapping[str, Any]) -> dict[str, Any]:
    """Encode a value for each parameter and strength that a trial's method uses as Optuna's parameters."""
    drawn = dict(values)
    for key, param in used(params, values).items():
        if isinstance(param, SubsetParam):
            drawn |= booleans(key, param, drawn.pop(key))
    return drawn


def booleans(key: str, param: SubsetParam, members: Collection[str]) -> dict[str, bool]:
    """Encode a subset as one boolean for each member."""
    return {f"{key}.{member}": member in members for member in param.members}


def decode(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Decode Optuna's parameters to a value for each parameter and strength; the inverse of ``encode``.

    Parameters that the trial's method does not use are left out, even if they were drawn.
    """
    values = {
        key: chosen(key, param, drawn) if isinstance(param, SubsetParam) else drawn[key]
        for key, param in used(params, drawn).items()
    }
    return values | {name: drawn[name] for name in strengths(params, drawn)}


def distributions(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """Return Optuna's distributions: a subset has a boolean for each ``key.member``; bounds are included."""
    result: dict[str, BaseDistribution] = {}
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            result |= dict.fromkeys((f"{key}.{member}" for member in param.members), _EITHER)
        elif isinstance(param, CategoricalParam):
            result[key] = CategoricalDistribution(param.choices)
        else:
            result[key] = _number(param)
    return result


def needed(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Return the distributions of all parameters of a trial with this method and these subsets."""
    return distributions(used(params, drawn)) | strengths(params, drawn)


def strengths(
    params: Mapping[str, Param], drawn: Mapping[str, Any] | None = None
) -> dict[str, BaseDistribution]:
    """Return the distributions of strengths, given the method and subsets; without ``drawn``, of all."""
    return {
        name: _number(strength)
        for key, param in (params if drawn is None else used(params, drawn)).items()
        if isinstance(param, SubsetParam)
        for name, strength in param.strength_params(
            param.members if drawn is None else chosen(key, param, drawn)
        ).items()
    }


def flat(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """Return the distributions of all parameters and of the strengths of all members, used or not."""
    return distributions(params) | strengths(params)


def _number(param: FloatParam | IntParam) -> BaseDistribution:
    if isinstance(param, FloatParam):
        return FloatDistribution(param.low, param.high, log=param.log, step=param.step)
    return IntDistribution(param.low, param.high, log=param.log, step=param.step or 1)


def chosen(key: str, param: SubsetParam, drawn: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the members of a subset that was drawn as booleans."""
    return tuple(member for member in param.members if drawn.get(f"{key}.{member}"))


def _suggest_all(trial: Trial, wanted: Mapping[str, BaseDistribution]) -> None:
    for name, d in wanted.items():
        if isinstance(d, FloatDistribution):
            trial.suggest_float(name, d.low, d.high, log=d.log, step=d.step)
        elif isinstance(d, IntDistribution):
            trial.suggest_int(name, d.low, d.high, log=d.log, step=d.step)
        elif isinstance(d, CategoricalDistribution):
            trial.suggest_categorical(name, d.choices)
