"""The content of a space file, and its JSON schema."""

import json
from typing import Any, get_args

from pydantic import Field, field_validator, model_validator

from dcodr.config import PRESETS
from dcodr.config.methods import MethodName
from dcodr.plugins import full_name
from dcodr.strict_yaml import StrictModel, did_you_mean
from tuning.pareto import Direction
from tuning.space.objectives import Objective
from tuning.space.params import CategoricalParam, Param
from tuning.space.settings import Resources, SearchSettings


class Base(StrictModel):
    """The base of every trial: a preset or a config file, and overrides."""

    preset: str | None = None
    """The paper's settings for a dataset."""
    config: str | dict[str, Any] | None = None
    """A config file, e.g. exported by another search, relative to the space file; or a config's content."""
    overrides: dict[str, Any] = Field(default={})
    """Settings that replace those of the preset or config, nested as in a config."""

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
    """The searched parameters, by dotted key of the config."""
    objectives: dict[Objective, Direction] = Field(
        default={"invariance": "maximize", "informativeness": "maximize"}, min_length=1
    )
    """Validation metrics to optimise."""
    search: SearchSettings = SearchSettings()
    resources: Resources = Resources()

    @field_validator("params")
    @classmethod
    def _full_names(cls, params: dict[str, Param]) -> dict[str, Param]:
        """Replace short names of methods, which packages announce, by full names."""
        method = params.get("method")
        if not isinstance(method, CategoricalParam):
            return params
        ours = get_args(MethodName)
        full = tuple(name if name in ours else full_name("methods", str(name)) for name in method.choices)
        return params | {"method": method.model_copy(update={"choices": full})}


def json_schema() -> str:
    """Return the JSON schema of a space file; editors use it to complete and check the file."""
    return json.dumps(SpaceFile.model_json_schema(), indent=2) + "\n"
