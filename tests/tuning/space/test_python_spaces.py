"""Spaces made of Python values: the same space, or the same mistakes, as the file of the same content."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tuning.space
from dcodr.config import Config, EncoderConfig
from dcodr.errors import UserError
from dcodr.strict_yaml import read_yaml
from dcodr.yaml_core import dump_yaml
from tuning.results.search import Search
from tuning.space import Space, load_space
from tuning.space.params import FloatParam, SubsetParam
from tuning.space.settings import SearchSettings
from tuning.space.shipped import SPACES

SHIPPED = sorted(SPACES.glob("*.yaml"))
CONTENT = read_yaml(SPACES / "strengths.yaml").data
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 3, -1.5, "x", [], {}, [1], {"x": 1}, float("nan"), (), ("a", 2)]
)


def read(source: Path | dict[str, Any]) -> Space | list[str]:
    """Return the space, or the mistakes without their places in a file."""
    try:
        found = load_space(source, name="s")
    except UserError as error:
        return sorted(line.partition(": ")[2] for line in str(error).splitlines())
    return found.model_copy(update={"text": ""})


def nodes(content: Any, key: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all values."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    below = [(inner, (*key, name)) for name, inner in items]
    return [
        found
        for inner, name in below
        for found in [name, *(nodes(inner, name) if isinstance(inner, dict | list) else [])]
    ]


def lists(value: Any) -> Any:
    """Return the content with lists in place of tuples, which YAML does not have."""
    if isinstance(value, dict):
        return {name: lists(inner) for name, inner in value.items()}
    return [lists(inner) for inner in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_content_of_a_file_makes_the_space_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SPACES)  # where the relative paths of both begin
    assert read(read_yaml(path).data) == read(path)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_content_has_the_mistakes_of_the_damaged_file(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = copy.deepcopy(CONTENT)
    content["search"].pop("warm_start", None)  # its paths differ
    for _ in range(data.draw(st.integers(1, 2))):
        *parents, last = data.draw(st.sampled_from(nodes(content)))
        holder: Any = content
        for part in parents:
            holder = holder[part]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder[f"{last}x"] = holder.pop(last)
        else:
            holder[last] = copy.deepcopy(data.draw(WRONG))  # a later change is not to change WRONG
    path = tmp_path_factory.mktemp("space") / "s.yaml"
    path.write_text(dump_yaml(lists(content)))
    assert read(content) == read(path)


def test_a_space_is_built_of_models_and_mappings_alike() -> None:
    temperature = {"type": "float", "low": 0.05, "high": 0.5, "log": True}
    members = ("crop", "gaussian_blur", "high_contrast", "high_saturation")
    overrides = {"encoder": {"arch": "small", "weights": None}, "epochs": 3, "evaluate_every": 1}
    mapped = Space.build(
        base={"preset": "synthetic", "overrides": overrides},
        params={"temperature": temperature, "augmentations": {"type": "subset", "members": list(members)}},
        search={"trials": 5},
    )
    base = load_space(
        {"base": {"preset": "synthetic", "overrides": overrides}, "params": {"temperature": temperature}}
    ).base
    built = Space.build(
        base=base,
        params={
            "temperature": FloatParam(type="float", low=0.05, high=0.5, log=True),
            "augmentations": SubsetParam(type="subset", members=members),
        },
        search=SearchSettings(trials=5),
    )
    assert built == mapped
    assert (built.name, built.text) == ("space", "")
    assert built.base.encoder.arch == "small"
    assert Space.build(base="paper", params={"temperature": temperature}, name="p").name == "p"


def test_mistakes_of_a_built_space_are_told_together_with_their_keys() -> None:
    with pytest.raises(UserError) as caught:
        Space.build(
            base="mnist",
            params={"temprature": {"type": "float", "low": 0.1, "high": 1}},
            search={"trails": 3},
            name="mine",
        )
    assert [line.partition("; allowed")[0] for line in str(caught.value).splitlines()] == [
        "mine: base: unknown preset 'mnist'",
        "mine: search.trails: unknown key (did you mean trials?)",
        "mine: params.temprature: temprature is not a setting of a config (did you mean temperature?)",
    ]


def test_typed_settings_fix_what_texts_fix_on_the_command_line() -> None:
    typed = load_space(
        "augs",
        data=Path("x.h5"),
        settings={
            "temperature": 0.3,
            "augmentations": ("crop", "grayscale"),
            "encoder": EncoderConfig(arch="small", code_dim=16),
            "resources.cpus_per_trial": 2,
            "search.sampler": "random",
            "search.confirm": None,
        },
    )
    texts = tuning.space.space.load_space_with_options(
        "augs",
        data="x.h5",
        settings=[
            "temperature=0.3",
            "augmentations=[crop, grayscale]",
            "encoder={arch: small, code_dim: 16}",
            "resources.cpus_per_trial=2",
            "search.sampler=random",
            "search.confirm=null",
        ],
    )
    assert typed == texts
    assert "temperature" not in typed.params


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"epochs": "3"}, "settings: epochs: received '3'; should be a valid integer: write 3"),
        ({"heat": 1}, "settings: heat: unknown key"),
        ({"resources.gpus": 1}, "settings: resources: gpus: unknown key"),
        ({"temperature": np.array([1.0, 2.0])}, "settings: temperature: received array"),
        (["epochs=3"], "settings: expected a mapping such as {'epochs': 3}, received ['epochs=3']"),
    ],
)
def test_wrong_settings_are_refused_by_key(given_settings: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_space("augs", settings=given_settings)
    assert str(caught.value).startswith(message)


def test_keys_that_are_no_text_and_values_without_end_are_refused() -> None:
    endless: dict[str, Any] = {}
    endless["base"] = endless
    with pytest.raises(UserError, match="more than 20 levels"):
        load_space(endless)
    with pytest.raises(UserError, match="space: params: keys are words, received 3"):
        load_space({"base": {"preset": "paper"}, "params": {3: 4}})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config(epochs=0), "Config: epochs: received 0; should be greater than or equal to 1"),
        (lambda: EncoderConfig(code_dim=1), "EncoderConfig: code"),
        (lambda: FloatParam(type="float", low=2, high=1), "FloatParam: low 2.0 is above high 1.0"),
        (lambda: SubsetParam(type="subset", members=("crop",), required=("x",)), "SubsetParam: required:"),
    ],
)
def test_an_invalid_model_made_in_python_is_a_user_error(make: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_space("x" * 300), "cannot be read: File name too long"),
        (lambda: load_space("none.yaml"), "none.yaml: cannot be read"),
        (
            lambda: load_space("augs", search=cast(Any, ["trials"])),
            r"search: expected a mapping such as \{'trials': 3\}",
        ),
        (lambda: Search.open("x" * 300, "."), "cannot be read: File name too long"),
        (lambda: Search.open("none", "nowhere"), "no search named 'none' in nowhere"),
        (lambda: Space.build(base=cast(Any, None), params=cast(Any, None)), "base"),
    ],
)
def test_wrong_arguments_of_the_python_interface_are_user_errors(call: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_a_space_shows_itself_in_a_notebook() -> None:
    space = Space.build(
        base="synthetic",
        params={
            "temperature": {"type": "float", "low": 0.05, "high": 0.5, "log": True},
            "encoder.code_dim": {"type": "categorical", "choices": [64, 128]},
            "augmentations": {"type": "subset", "members": ["crop", "horizontal_flip"]},
        },
        objectives={"informativeness": "maximize", "domain_accuracy": "minimize"},
        search={"trials": 12, "warm_start": {"paper": False}},
        name="a<b",
    )
    said = "of synthetic: 3 parameters, 12 trials, maximizes informativeness, minimizes domain_accuracy"
    assert repr(space) == f"<Space 'a<b' {said}>"
    shown = space._repr_html_()
    assert f"a&lt;b&#x27; {said}" in shown
    assert "<th>temperature</th><td>0.05 to 0.5, logarithmic</td>" in shown
    assert "<th>encoder.code_dim</th><td>64, 128</td>" in shown
    assert "<th>augmentations</th><td>1 to 2 of flip, crop</td>" in shown
