"""Checks of searched parameters and early stopping in a space file that is well formed."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, get_args

from dcodr.config import Config, key_parts, nested, override, setting
from dcodr.config.methods import MethodName, has_effect
from dcodr.config.paper_settings import paper_config
from dcodr.errors import UserError
from dcodr.plugins import is_outside
from dcodr.strict_yaml import Key, did_you_mean
from tuning.space.params import CategoricalParam, Param, SubsetParam
from tuning.space.settings import SearchSettings

PAPER_SETTINGS = (
    "augmentations",
    "temperature",
    "encoder_lr",
    "generator_lr",
    "embedding_lr",
    "reconstruction_weight",
    "drnet.adversarial_weight",
)
"""Settings that the paper's tables give per dataset and system; a search tries them first."""

FIXED_SETTINGS = ("dataset", "data", "threads", "device", "seed")
"""Settings that are the same in all trials of a search."""

LENGTHS = ("epochs", "evaluate_every")
"""Settings that budgets, early stopping and the sampler take to be the same in all trials."""

OWN = "method_settings"
"""The setting with those of a method from outside. The base gives their values in the first trial."""

Mistake = tuple[Key, str]
"""The place of a mistake, and a message."""


def paper_value(base: Config, key: str, paper_with: Mapping[str, Any]) -> Any:
    """Return the baseline's value of a searched setting.

    It is the value of ``search.warm_start.paper_with``, or else the paper's, or else the base's.
    """
    if key in paper_with:
        return setting(override(base, nested(key, paper_with[key]), lambda _, text: UserError(text)), key)
    source = paper_config(base.method, base.dataset) if key in PAPER_SETTINGS else base
    return setting(source, key)


def trained_methods(base: Config, params: Mapping[str, Param]) -> list[str]:
    """Return the methods that the trials of a space train; those from outside come last."""
    searched = params.get("method")
    choices = searched.choices if isinstance(searched, CategoricalParam) else [base.method]
    ours = [name for name in get_args(MethodName) if name in choices]
    return ours + [str(name) for name in choices if is_outside(name)]


def wrong_param(
    key: str,
    param: Param,
    base: Config,
    params: Mapping[str, Param],
    overrides: Mapping[str, Any],
    search: SearchSettings,
) -> Iterator[Mistake]:
    """Yield mistakes of a parameter: an unknown setting, no effect, a range that is not allowed or useful.

    The place of each mistake is below the parameters.
    """
    if message := _no_parameter(key, base, params, overrides):
        yield (key,), message
        return
    wrong = [*_out_of_bounds(key, param, base)]
    if not wrong and search.warm_start.paper and has_effect(key, base.method):
        wrong += _without_the_papers(key, param, base, search.warm_start.paper_with)
    yield from (((key, *at), message) for at, message in wrong)
    yield from _twice(key, param, params, overrides)


def wrong_scheduler(search: SearchSettings, base: Config) -> str | None:
    """Return the reason why early stopping could never stop a trial; ``None`` if it can, or is off."""
    if search.scheduler is None:
        return None
    grace = search.scheduler.grace_period
    evaluated = range(base.evaluate_every, base.epochs, base.evaluate_every)
    if any(epoch >= grace for epoch in evaluated):
        return None
    return (
        f"stops nothing: none of epochs {grace} to {base.epochs - 1} is evaluated (epochs {base.epochs}, "
        f"evaluate_every {base.evaluate_every}); set evaluate_every or grace_period, or remove it"
    )


def wrong_paper_with(
    base: Config, params: Mapping[str, Param], paper_with: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Find values of ``search.warm_start.paper_with`` without a searched parameter, and invalid ones."""
    searched = {key for key in params if key not in {*FIXED_SETTINGS, *LENGTHS}}
    for param in params.values():
        searched |= param.strength_params(param.members).keys() if isinstance(param, SubsetParam) else set()
    for key, value in paper_with.items():
        at = ("search", "warm_start", "paper_with", key)
        if key not in searched:
            yield at, f"is not a searched parameter{did_you_mean(key, searched)}"
        else:
            yield from ((at, message) for _, message in refused(base, nested(key, value)))


def unknown_param(key: str, base: Config) -> str | None:
    """Return the reason why no search could search a setting; ``None`` if some search can."""
    try:
        setting(base, key)
    except KeyError as error:
        if key.startswith(f"{OWN}."):
            return (
                f"has no value for the first trial: give it in base.overrides.{OWN}, as the defaults of a "
                "method of your own are unknown before its code runs"
            )
        return str(error.args[0])
    if key in LENGTHS:
        return "cannot be searched: early stopping compares trials of one length; set it in the base"
    return "cannot be searched: it is the same for the whole search" if key in FIXED_SETTINGS else None


def _no_parameter(
    key: str, base: Config, params: Mapping[str, Param], overrides: Mapping[str, Any]
) -> str | None:
    if (unknown := unknown_param(key, base)) is not None:
        return unknown
    methods = trained_methods(base, params)
    if methods and not any(has_effect(key, method) for method in methods):
        return f"has no effect on {' or '.join(methods)}"
    if key in dotted_keys(overrides) and not key.startswith(f"{OWN}."):
        return "is fixed in base.overrides too: remove it in one place"
    return None


def _twice(
    key: str, param: Param, params: Mapping[str, Param], overrides: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield mistakes of strengths that are searched or fixed elsewhere as well."""
    if not isinstance(param, SubsetParam):
        return
    for name in param.strength_params(param.members):
        if name in params:
            yield (name,), f"is searched as a strength of {key} too: remove it in one place"
        if name in dotted_keys(overrides):
            yield (key, *key_parts(name)), "is fixed in base.overrides too: remove it in one place"


def _out_of_bounds(key: str, param: Param, base: Config) -> Iterator[Mistake]:
    """Yield mistakes of extremes that the setting cannot have."""
    for where, setting_key, extremes in _extremes(key, param):
        depth = len(key_parts(setting_key))
        for value in extremes:
            if found := refused(base, nested(setting_key, value)):
                yield from (((*where, *inside[depth:]), message) for inside, message in found)
                break


def _without_the_papers(
    key: str, param: Param, base: Config, paper_with: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield mistakes of ranges that do not contain the paper's value, which is the first trial."""
    value = paper_value(base, key, paper_with)
    if not param.allows(value):
        yield (), _without_the_paper(key, value)
    elif isinstance(param, SubsetParam):
        for name, strength in param.strength_params(value).items():
            of_strength = paper_value(base, name, paper_with)
            if not strength.allows(of_strength):
                yield key_parts(name), _without_the_paper(name, of_strength)


def _without_the_paper(key: str, value: Any) -> str:
    return (
        f"does not allow {value!r}, the paper's setting, which is the first trial: widen it, replace the "
        f"paper's with search.warm_start.paper_with: {{{key}: ...}}, or set search.warm_start.paper: false"
    )


def refused(base: Config, overrides: Mapping[str, Any]) -> list[Mistake]:
    """Return the mistakes that a config finds in overrides, by key of the config."""
    found: list[Mistake] = []

    def note(at: Key, message: str) -> UserError:
        found.append((at, message))
        return UserError(message)

    with suppress(UserError):
        override(base, overrides, note)
    return found


def _extremes(key: str, param: Param) -> Iterator[tuple[Key, str, Iterable[Any]]]:
    """Yield the place of a parameter's extremes in the file, the key of their setting, and their values.

    Values are made one at a time: a file with unknown strengths could have an enormous number of corners.
    """
    if isinstance(param, SubsetParam):
        yield ("members",), key, [param.members]
        for member, params in param.strengths.items():
            corners = itertools.product(*((p.low, p.high) for p in params.values()))
            values = (dict(zip(params, corner, strict=True)) for corner in corners)
            yield ("strengths", member), f"strengths.{member}", values
    elif isinstance(param, CategoricalParam):
        yield from ((("choices", i), key, [choice]) for i, choice in enumerate(param.choices))
    else:
        yield ("low",), key, [param.low]
        yield ("high",), key, [param.high]


def dotted_keys(overrides: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted keys of all values in nested mappings."""
    keys = set()
    for key, value in overrides.items():
        keys |= dotted_keys(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}"}
    return keys
