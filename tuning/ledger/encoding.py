"""A trial's values as what Optuna draws: a subset as one boolean a member."""

from collections.abc import Collection, Mapping
from typing import Any

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam, used

_EITHER = CategoricalDistribution([False, True])
"""Whether a member is in a subset."""


def suggest(trial: Trial, params: Mapping[str, Param]) -> dict[str, Any]:
    """Have a trial draw all it needs.

    In this order: the method, if it is searched; every parameter that the method uses; the strengths of
    chosen members.

    Returns:
        A value for each of these parameters and strengths.
    """
    _suggest_all(trial, distributions({key: params[key] for key in params if key == "method"}))
    _suggest_all(trial, distributions(used(params, trial.params)))
    _suggest_all(trial, strengths(params, trial.params))
    return decode(params, trial.params)


def is_whole(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> bool:
    """Whether a trial has drawn all it needs; a driver may die while it draws."""
    return needed(params, drawn).keys() <= drawn.keys()


def encode(params: Mapping[str, Param], values: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each parameter and strength that a trial's method uses, as what Optuna draws."""
    drawn = dict(values)
    for key, param in used(params, values).items():
        if isinstance(param, SubsetParam):
            drawn |= booleans(key, param, drawn.pop(key))
    return drawn


def booleans(key: str, param: SubsetParam, members: Collection[str]) -> dict[str, bool]:
    """A subset, as what Optuna draws."""
    return {f"{key}.{member}": member in members for member in param.members}


def decode(params: Mapping[str, Param], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What Optuna drew, as a value for each parameter and strength; the inverse of ``encode``.

    What the trial's method does not use is left out, whether it was drawn or not.
    """
    values = {
        key: chosen(key, param, drawn) if isinstance(param, SubsetParam) else drawn[key]
        for key, param in used(params, drawn).items()
    }
    return values | {name: drawn[name] for name in strengths(params, drawn)}


def distributions(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """What is drawn of parameters: a subset as one boolean a member, ``key.member``; bounds are included."""
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
    """What a trial with this method and these subsets draws in all."""
    return distributions(used(params, drawn)) | strengths(params, drawn)


def strengths(
    params: Mapping[str, Param], drawn: Mapping[str, Any] | None = None
) -> dict[str, BaseDistribution]:
    """What a trial draws besides, once it has its method and subsets; without ``drawn``, what it might."""
    return {
        name: _number(strength)
        for key, param in (params if drawn is None else used(params, drawn)).items()
        if isinstance(param, SubsetParam)
        for name, strength in param.strength_params(
            param.members if drawn is None else chosen(key, param, drawn)
        ).items()
    }


def _number(param: FloatParam | IntParam) -> BaseDistribution:
    if isinstance(param, FloatParam):
        return FloatDistribution(param.low, param.high, log=param.log, step=param.step)
    return IntDistribution(param.low, param.high, log=param.log, step=param.step or 1)


def chosen(key: str, param: SubsetParam, drawn: Mapping[str, Any]) -> tuple[str, ...]:
    """The members of a subset that is drawn as booleans."""
    return tuple(member for member in param.members if drawn.get(f"{key}.{member}"))


def _suggest_all(trial: Trial, wanted: Mapping[str, BaseDistribution]) -> None:
    for name, d in wanted.items():
        if isinstance(d, FloatDistribution):
            trial.suggest_float(name, d.low, d.high, log=d.log, step=d.step)
        elif isinstance(d, IntDistribution):
            trial.suggest_int(name, d.low, d.high, log=d.log, step=d.step)
        elif isinstance(d, CategoricalDistribution):
            trial.suggest_categorical(name, d.choices)
