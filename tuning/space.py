"""The search space: one YAML file that holds the whole experiment."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import Field, model_validator

from dcodr.config import (
    PRESETS,
    Config,
    merged,
    nested,
    override,
    read_config,
    setting,
)
from dcodr.errors import UserError
from dcodr.method_settings import MethodName, has_effect
from dcodr.strict_yaml import Key, StrictModel, YamlFile, did_you_mean, parse_yaml, read_yaml
from tuning.params import CategoricalParam, Param, SubsetParam, used
from tuning.pareto import Direction
from tuning.settings import Resources, SearchSettings, WarmStart

PAPER_SETTINGS = (
    "augmentations",
    "temperature",
    "encoder_lr",
    "generator_lr",
    "embedding_lr",
    "reconstruction_weight",
)
"""What the paper sets per dataset, and a search therefore tries first."""

FIXED_SETTINGS = ("dataset", "data", "threads", "device", "seed")
"""What is one for all trials of a search."""

FIGURES = ("invariance", "informativeness", "image_informativeness", "domain_accuracy")
FIGURES_OF_AN_ATTRIBUTE = ("accuracy/", "error/")
"""What can be an objective: figures with a worst value from which gains can be measured."""


class Base(StrictModel):
    """What every trial starts from: a preset or a config file, and overrides."""

    preset: str | None = None
    """The paper's settings for a dataset."""
    config: str | None = None
    """A config file, e.g. one that another search exported; relative to the space file."""
    overrides: dict[str, Any] = Field(default={})
    """Settings laid over it, nested as in a config."""

    @model_validator(mode="after")
    def _check(self) -> "Base":
        if (self.preset is None) == (self.config is None):
            raise ValueError("give either preset or config")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"unknown preset {self.preset!r}{did_you_mean(self.preset, PRESETS)}")
        return self


class SpaceFile(StrictModel):
    """The whole of a space file."""

    base: Base
    params: dict[str, Param] = Field(min_length=1)
    """What is searched, by dotted key of the config."""
    objectives: dict[str, Direction] = Field(
        default={"invariance": "maximize", "informativeness": "maximize"}, min_length=1
    )
    """Validation figures to optimise."""
    search: SearchSettings = SearchSettings()
    resources: Resources = Resources()


class Space(StrictModel):
    """An experiment, resolved: what ``load_space`` makes of a space file and the command line."""

    name: str
    """The file's name without its ending."""
    base: Config
    """What every trial starts from."""
    params: dict[str, Param]
    """What is searched, by dotted key of the config."""
    objectives: dict[str, Direction]
    """Validation figures to optimise."""
    search: SearchSettings
    """How to search."""
    resources: Resources
    """What one trial gets."""
    constant_answers: dict[str, float] = Field(default={})
    """What the best constant answer reaches on the validation images, by objective, of those that are
    measured from there; see :mod:`tuning.preflight.reference`. A search keeps those that it began with;
    searches of earlier versions have none."""
    text: str = ""
    """The file as it was written."""

    def config(self, values: Mapping[str, Any]) -> Config:
        """The config of a trial.

        Args:
            values: A value for each of ``params`` that the trial's method uses, and for the strengths
                searched of the members chosen; the rest is the base's.

        Raises:
            UserError: If they make no valid config; a ledger that was tampered with may hold such.
        """
        overrides: dict[str, Any] = {}
        for key, value in values.items():
            overrides = merged(overrides, nested(key, value))
        return override(
            self.base, overrides, lambda key, message: UserError(f"{'.'.join(map(str, key))}: {message}")
        )

    def paper_values(self, replaced: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """What the paper sets the searched settings to; where it says nothing, what the base does.

        Args:
            replaced: Other values for some of them.
        """
        return self._values(lambda key: replaced[key] if key in replaced else _paper_value(self.base, key))

    def values_of(self, config: Config) -> dict[str, Any]:
        """What a config sets the searched settings to."""
        return self._values(lambda key: setting(config, key))

    def reject_reason(self, values: Mapping[str, Any]) -> str | None:
        """Say why the space does not hold some values; ``None`` if it does."""
        for key, param in used(self.params, values).items():
            if not param.allows(values[key]):
                return f"{key}: {values[key]!r} is not allowed"
            if isinstance(param, SubsetParam):
                for name, strength in param.strength_params(values[key]).items():
                    if not strength.allows(values[name]):
                        return f"{name}: {values[name]!r} is not between {strength.low} and {strength.high}"
        return None

    def _values(self, setting_of: Callable[[str], Any]) -> dict[str, Any]:
        """A value for each parameter that the method uses, and for the strengths of the members chosen."""
        method = {key: setting_of(key) for key in self.params if key == "method"}
        params = used(self.params, method)
        values = {key: setting_of(key) for key in params}
        for key, param in params.items():
            if isinstance(param, SubsetParam):
                values |= {name: setting_of(name) for name in param.strength_params(values[key])}
        return values

    @property
    def reference(self) -> list[float]:
        """Return the worst objectives that count: the corner of the hypervolume, from which gains count.

        It is the constant answer's figure where there is one; else 0 where more is better, 1 where less is.
        """
        return [
            self.constant_answers.get(name, 0.0 if direction == "maximize" else 1.0)
            for name, direction in self.objectives.items()
        ]

    @property
    def perfect(self) -> list[float]:
        """Return the best that each objective can be; infinity for an error that is maximised."""
        return [
            0.0 if direction == "minimize" else math.inf if name.startswith("error/") else 1.0
            for name, direction in self.objectives.items()
        ]

    @property
    def preference(self) -> list[float]:
        """Return how much each objective weighs in the choice of the best trade-off."""
        return [self.search.preference.get(name, 1.0) for name in self.objectives]


def load_space(
    path: str | Path,
    *,
    dataset: str | None = None,
    data: str | None = None,
    settings: Sequence[str] = (),
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Space:
    """Read a space file and resolve it.

    Args:
        path: The YAML file.
        dataset: Dataset to search on instead of the file's; its preset replaces the file's.
        data: Store to read instead of ``data/<dataset>.h5``.
        settings: ``KEY=VALUE`` texts that fix settings of every trial; a fixed setting is not searched.
        search: Values that replace the file's ``search`` settings, where not ``None``.

    Raises:
        UserError: At the first thing that is wrong, with file, line, key, received value and what is allowed.
    """
    file = read_yaml(path)
    content = file.validate(SpaceFile)
    base = _base(content, file, Path(path).parent, dataset)
    if data is not None:
        base = base.model_copy(update={"data": data})
    params = dict(content.params)
    asked: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: expected KEY=VALUE, e.g. temperature=0.2")
        if key.startswith("resources."):
            asked[key.removeprefix("resources.")] = value
            continue
        base = _fix(base, key, value)
        params = {name: _without(param, key) for name, param in params.items() if name != key}
    if not params:
        raise UserError(f"{path}: nothing is left to search")
    resources = _with_resources(content.resources, asked)
    base = base.model_copy(update=_share(resources))
    for key, param in params.items():
        _check_param(key, param, base, content, file)
    _check_scheduler(content.search, base, file)
    _check_objectives(content, file)
    warm_start = _absolute(content.search.warm_start, Path(path).parent)
    given = {key: value for key, value in search.items() if value is not None}
    return Space(
        name=Path(path).stem,
        base=base,
        params=params,
        objectives=content.objectives,
        search=SearchSettings.model_validate(
            content.search.model_dump() | given | {"warm_start": warm_start.model_dump()}
        ),
        resources=resources,
        text=file.text,
    )


def json_schema() -> str:
    """The JSON schema of a space file, by which editors complete and check it."""
    return json.dumps(SpaceFile.model_json_schema(), indent=2) + "\n"


def _base(content: SpaceFile, file: YamlFile, folder: Path, dataset: str | None) -> Config:
    base = content.base
    if base.config is not None:
        start = read_config(folder / base.config)[0]
    else:
        start = PRESETS[base.preset or "paper"]
    if dataset is not None:
        preset = PRESETS.get(dataset, PRESETS["paper"])
        start = preset if base.config is None else start
        start = start.model_copy(update={"dataset": dataset, "data": None})
    for key in ("threads", "device"):
        if key in base.overrides:
            raise file.error(("base", "overrides", key), "is set by resources: remove it here")
    return override(
        start, base.overrides, lambda key, message: file.error(("base", "overrides", *key), message)
    )


def _fix(base: Config, key: str, value: str) -> Config:
    option = f"--set {key}={value}"
    parsed = parse_yaml(f"value: {value}", option).data["value"]
    return override(base, nested(key, parsed), lambda _, message: UserError(f"{option}: {message}"))


def _with_resources(resources: Resources, asked: Mapping[str, str]) -> Resources:
    values = {
        key: parse_yaml(f"value: {value}", f"--set resources.{key}={value}").data["value"]
        for key, value in asked.items()
    }
    return YamlFile("--set resources", resources.model_dump() | values, {}).validate(Resources)


def _without(param: Param, key: str) -> Param:
    """A parameter that does not search the strength at a dotted key of the config."""
    if not isinstance(param, SubsetParam):
        return param
    strengths = {
        member: {name: p for name, p in params.items() if f"strengths.{member}.{name}" != key}
        for member, params in param.strengths.items()
    }
    return param.model_copy(update={"strengths": strengths})


def _share(resources: Resources) -> dict[str, Any]:
    return {"threads": resources.cpus_per_trial, "device": "cuda" if resources.gpus_per_trial else "cpu"}


def _paper_value(base: Config, key: str) -> Any:
    source = PRESETS.get(base.dataset, PRESETS["paper"]) if key in PAPER_SETTINGS else base
    return setting(source, key)


def _methods(base: Config, content: SpaceFile) -> list[MethodName]:
    """The methods that a space trains."""
    searched = content.params.get("method")
    choices = searched.choices if isinstance(searched, CategoricalParam) else [base.method]
    return [name for name in get_args(MethodName) if name in choices]


def _check_param(key: str, param: Param, base: Config, content: SpaceFile, file: YamlFile) -> None:
    """Refuse a parameter that is no setting, has no effect, or whose range is not allowed or not useful."""
    at: Key = ("params", key)
    try:
        setting(base, key)
    except KeyError as error:
        raise file.error(at, error.args[0]) from None
    if key in FIXED_SETTINGS:
        raise file.error(at, "cannot be searched: it is one for the whole search")
    methods = _methods(base, content)
    if methods and not any(has_effect(key, method) for method in methods):
        raise file.error(at, f"has no effect on {' or '.join(methods)}")
    if key in _dotted(content.base.overrides):
        raise file.error(at, "is fixed in base.overrides too: remove it in one place")
    if isinstance(param, SubsetParam):
        for name in param.strength_params(param.members):
            if name in content.params:
                raise file.error(
                    ("params", name), f"is searched as a strength of {key} too: remove it in one place"
                )
            if name in _dotted(content.base.overrides):
                raise file.error(
                    (*at, *name.split(".")), "is fixed in base.overrides too: remove it in one place"
                )
    for where, setting_key, extreme in _extremes(key, param):
        depth = len(setting_key.split("."))

        def complain(inside: Key, message: str, here: Key = (*at, *where), depth: int = depth) -> UserError:
            return file.error((*here, *inside[depth:]), message)

        override(base, nested(setting_key, extreme), complain)
    if not content.search.warm_start.paper or not has_effect(key, base.method):
        return
    value = _paper_value(base, key)
    advice = "the paper's setting, which is the first trial: widen it, or set search.warm_start.paper: false"
    if not param.allows(value):
        raise file.error(at, f"does not allow {value!r}, {advice}")
    if isinstance(param, SubsetParam):
        for name, strength in param.strength_params(value).items():
            if not strength.allows(_paper_value(base, name)):
                raise file.error(
                    (*at, *name.split(".")), f"does not allow {_paper_value(base, name)!r}, {advice}"
                )


def _check_objectives(content: SpaceFile, file: YamlFile) -> None:
    """Refuse objectives that gains cannot be measured in, and a preference for what is no objective."""
    for name in content.objectives:
        if name not in FIGURES and not name.startswith(FIGURES_OF_AN_ATTRIBUTE):
            allowed = [*FIGURES, *(f"{kind}NAME" for kind in FIGURES_OF_AN_ATTRIBUTE)]
            raise file.error(("objectives", name), f"cannot be an objective{did_you_mean(name, allowed)}")
    for name in content.search.preference:
        if name not in content.objectives:
            raise file.error(
                ("search", "preference", name), f"is no objective{did_you_mean(name, content.objectives)}"
            )


def _check_scheduler(search: SearchSettings, base: Config, file: YamlFile) -> None:
    """Refuse early stopping that could never stop anything."""
    if search.scheduler is None:
        return
    grace = search.scheduler.grace_period
    evaluated = range(base.evaluate_every, base.epochs, base.evaluate_every)
    if not any(epoch >= grace for epoch in evaluated):
        raise file.error(
            ("search", "scheduler"),
            f"stops nothing: none of epochs {grace} to {base.epochs - 1} is evaluated (epochs {base.epochs}, "
            f"evaluate_every {base.evaluate_every}); set evaluate_every or grace_period, or remove it",
        )


def _absolute(warm_start: WarmStart, folder: Path) -> WarmStart:
    """With paths that do not depend on where the search is started."""

    def absolute(path: str) -> str:
        return str((folder / path).resolve())

    return warm_start.model_copy(
        update={
            "configs": tuple(map(absolute, warm_start.configs)),
            "searches": tuple(map(absolute, warm_start.searches)),
            "ranking": warm_start.ranking and absolute(warm_start.ranking),
        }
    )


def _extremes(key: str, param: Param) -> Iterator[tuple[Key, str, Any]]:
    """Where a file states an extreme of a parameter, the setting it is of, and its value.

    One at a time: of strengths that no augmentation has, a file could give corners without end.
    """
    if isinstance(param, SubsetParam):
        yield ("members",), key, param.members
        for member, params in param.strengths.items():
            for corner in itertools.product(*((p.low, p.high) for p in params.values())):
                yield ("strengths", member), f"strengths.{member}", dict(zip(params, corner, strict=True))
    elif isinstance(param, CategoricalParam):
        for choice in param.choices:
            yield ("choices",), key, choice
    else:
        yield ("low",), key, param.low
        yield ("high",), key, param.high


def _dotted(overrides: Mapping[str, Any], prefix: str = "") -> set[str]:
    keys = set()
    for key, value in overrides.items():
        keys |= _dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}"}
    return keys
