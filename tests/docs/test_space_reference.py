"""The reference of space files against what the models accept."""

import re

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from dcodr.config import BatchConfig, Config, EncoderConfig, GeneratorConfig, PerceptualConfig
from dcodr.config.methods import DrNetConfig, LORDConfig, MLVAEConfig, SimCLRConfig
from docs.space_reference import reference
from tuning.space import Base, SpaceFile
from tuning.space.params import CategoricalParam, FloatParam, IntParam, SubsetParam
from tuning.space.settings import Confirm, Resources, SchedulerSettings, SearchSettings, Stall, WarmStart

HEADINGS: dict[str, type[BaseModel]] = {
    "A space file": SpaceFile,
    "`base`": Base,
    "`params`: float": FloatParam,
    "`params`: int": IntParam,
    "`params`: categorical": CategoricalParam,
    "`params`: subset": SubsetParam,
    "`search`": SearchSettings,
    "`search.stall`": Stall,
    "`search.scheduler`": SchedulerSettings,
    "`search.warm_start`": WarmStart,
    "`search.confirm`": Confirm,
    "`resources`": Resources,
    "A config": Config,
    "`encoder`": EncoderConfig,
    "`generator`": GeneratorConfig,
    "`perceptual`": PerceptualConfig,
    "`batch`": BatchConfig,
    "`simclr`": SimCLRConfig,
    "`lord`": LORDConfig,
    "`ml_vae`": MLVAEConfig,
    "`drnet`": DrNetConfig,
}
BEYOND = {"at least": -1, "above": 0, "at most": 1, "below": 0}
"""Distance from a limit to the nearest whole number that is refused."""


def sections() -> dict[str, list[list[str]]]:
    """Return the rows of each table of the page, as cells, by heading."""
    parts = re.split(r"^##+ (.*)$", reference(), flags=re.MULTILINE)
    return {
        heading: [re.split(r"(?<!\\) \| ", row[2:-2]) for row in re.findall(r"^\| `.*$", text, re.MULTILINE)]
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_model_has_a_section_and_every_key_a_row_with_its_meaning() -> None:
    found = sections()
    assert list(found) == list(HEADINGS)
    for heading, rows in found.items():
        assert [row[0].strip("`") for row in rows] == list(HEADINGS[heading].model_fields)
        assert all(len(row) == 5 and (row[4] or row[0] == "`type`") for row in rows)


@pytest.mark.parametrize(("heading", "model"), HEADINGS.items(), ids=str)
def test_defaults_and_limits_are_what_the_model_has(heading: str, model: type[BaseModel]) -> None:
    for key, _, default, limits, _ in sections()[heading]:
        name = key.strip("`")
        field = model.model_fields[name]
        assert (default == "required") == field.is_required()
        if re.fullmatch("`[^`:]*`", default) and not isinstance(field.default, tuple):
            assert yaml.safe_load(default.strip("`")) == pytest.approx(field.default)
        for word, limit in re.findall(r"(at least|above|at most|below) ([\d.]+)", limits):
            with pytest.raises(ValidationError) as refused:
                model.model_validate({name: float(limit) + BEYOND[word]}, strict=False)
            assert (name,) in [error["loc"] for error in refused.value.errors()]
