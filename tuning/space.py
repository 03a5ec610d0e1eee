"""The search space: one YAML file that holds the whole experiment."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from dcodr.config import (
    PRESETS,
    RECONSTRUCTION_KEYS,
    Config,
    merged,
    nested,
    override,
    read_config,
    setting,
)
from dcodr.errors import UserError
from dcodr.strict_yaml import Key, StrictModel, YamlFile, did_you_mean, parse_yaml, read_yaml
from tuning.params import CategoricalParam, Param, SubsetParam
from tuning.pareto import Direction

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


class SearchSettings(StrictModel):
    """How to search."""

    trials: int = Field(default=24, ge=1)
    """Number of trials, the paper's settings included."""
    time_budget: float | None = Field(default=None, gt=0)
    """Seconds after which running trials are stopped."""
    sampler: Literal["tpe", "random"] = "tpe"
    """Optuna's multi-objective TPE, or random draws."""
    startup_trials: int = Field(default=8, ge=1)
    """Random trials before TPE begins."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws; the trainings have their own in ``base``."""


class Resources(StrictModel):
    """What one trial gets."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and torch threads, of a trial."""
    gpus_per_trial: float = Field(default=0, ge=0)
    """GPUs, or the share of one, of a trial."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Most trials at a time; ``null`` is as many as fit."""

    @model_validator(mode="after")
    def _check(self) -> "Resources":
        if self.gpus_per_trial > 1 and self.gpus_per_trial != int(self.gpus_per_trial):
            raise ValueError(f"gpus_per_trial: {self.gpus_per_trial} is neither whole nor a share of one")
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

    def config(self, values: Mapping[str, Any]) -> Config:
        """The config of a trial.

        Args:
            values: A value for each of ``params``.
        """
        data = self.base.model_dump()
        for key, value in values.items():
            data = merged(data, nested(key, value))
        return Config.model_validate(data)

    def paper_values(self) -> dict[str, Any]:
        """What the paper sets the searched settings to; where it says nothing, what the base does."""
        return {key: _paper_value(self.base, key) for key in self.params}


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
    for text in settings:
        key, given, value = text.partition("=")
        if not given:
            raise UserError(f"--set {text}: expected KEY=VALUE, e.g. temperature=0.2")
        base = _fix(base, key, value)
        params.pop(key, None)
    if not params:
        raise UserError(f"{path}: nothing is left to search")
    base = base.model_copy(update=_share(content.resources))
    for key, param in params.items():
        _check_param(key, param, base, content, file)
    return Space(
        name=Path(path).stem,
        base=base,
        params=params,
        objectives=content.objectives,
        search=SearchSettings.model_validate(
            content.search.model_dump() | {key: value for key, value in search.items() if value is not None}
        ),
        resources=content.resources,
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


def _share(resources: Resources) -> dict[str, Any]:
    return {"threads": resources.cpus_per_trial, "device": "cuda" if resources.gpus_per_trial else "cpu"}


def _paper_value(base: Config, key: str) -> Any:
    source = PRESETS.get(base.dataset, PRESETS["paper"]) if key in PAPER_SETTINGS else base
    return setting(source, key)


def _check_param(key: str, param: Param, base: Config, content: SpaceFile, file: YamlFile) -> None:
    """Refuse a parameter that is no setting, has no effect, or whose range is not allowed or not useful."""
    at: Key = ("params", key)
    try:
        setting(base, key)
    except KeyError as error:
        raise file.error(at, error.args[0]) from None
    if key in FIXED_SETTINGS:
        raise file.error(at, "cannot be searched: it is one for the whole search")
    if (
        base.method == "dcodr_norec"
        and key.split(".")[0] in RECONSTRUCTION_KEYS
        and "method" not in content.params
    ):
        raise file.error(at, "has no effect: the method dcodr_norec does not reconstruct")
    if key in _dotted(content.base.overrides):
        raise file.error(at, "is fixed in base.overrides too: remove it in one place")
    for where, extreme in _extremes(param):

        def complain(_: Key, message: str, here: Key = (*at, where)) -> UserError:
            return file.error(here, message)

        override(base, nested(key, extreme), complain)
    value = _paper_value(base, key)
    if not param.allows(value):
        raise file.error(
            at,
            f"does not allow {value!r}, the paper's setting, which is every search's first trial: widen it",
        )


def _extremes(param: Param) -> list[tuple[str, Any]]:
    if isinstance(param, SubsetParam):
        return [("members", param.members)]
    if isinstance(param, CategoricalParam):
        return [("choices", choice) for choice in param.choices]
    return [("low", param.low), ("high", param.high)]


def _dotted(overrides: Mapping[str, Any], prefix: str = "") -> set[str]:
    keys = set()
    for key, value in overrides.items():
        keys |= _dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}"}
    return keys
