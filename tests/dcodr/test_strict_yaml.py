"""Every violation of a file is one message with file, line, key and received value."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from dcodr.errors import UserError
from dcodr.strict_yaml import StrictModel, parse_yaml, read_yaml


class Circle(StrictModel):
    kind: Literal["circle"]
    radius: float = Field(gt=0)


class Polygon(StrictModel):
    kind: Literal["polygon"]
    sides: Annotated[tuple[int, ...], Field(strict=False)]


class Drawing(StrictModel):
    shapes: dict[str, Annotated[Circle | Polygon, Field(discriminator="kind")]]
    pages: int = 1
    bound: bool = False
    size: int | str = 4


def test_valid_files_become_models() -> None:
    text = "shapes:\n  a: {kind: circle, radius: 1e-4}\n  b: {kind: polygon, sides: [3, 4]}\n"
    drawing = parse_yaml(text, "f.yaml").validate(Drawing)
    assert drawing.shapes["a"] == Circle(kind="circle", radius=0.0001)
    assert drawing.shapes["b"] == Polygon(kind="polygon", sides=(3, 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "shapes:\n  a:\n    kind: circle\n    radius: -1\n",
            "line 4: shapes.a.radius: received -1; should be greater",
        ),
        ("shapes:\n  a:\n    kind: circle\n    radius: .nan\n", "line 4: shapes.a.radius: received nan"),
        (
            "shapes:\n  a:\n    kind: circle\n    radius: '1'\n",
            "line 4: shapes.a.radius: received '1'; should be a valid",
        ),
        ("shapes:\n  a:\n    kind: circle\n", "line 2: shapes.a.radius: required, but not given"),
        (
            "shapes:\n  a: {kind: circle, radios: 1}\n",
            "line 2: shapes.a.radios: unknown key (did you mean radius?); allow",
        ),
        (
            "shapes:\n  a: {kind: square}\n",
            "line 2: shapes.a.kind: received 'square'; should be one of 'circle', 'pol",
        ),
        ("shapes:\n  a: {radius: 1}\n", "line 2: shapes.a.kind: required, but not given"),
        (
            "shapes:\n  a:\n    kind: polygon\n    sides:\n      - 3\n      - x\n",
            "line 6: shapes.a.sides.1: received 'x'",
        ),
        (
            "shapes:\n  a:\n    kind: polygon\n    sides: 3\n",
            "line 4: shapes.a.sides: received 3; should be a list",
        ),
        ("shapes: 3\n", "line 1: shapes: received 3; should be a mapping"),
        ("shapes: {}\npages: true\n", "line 2: pages: received True; should be a valid integer"),
        (
            "shapes: {}\npages: 1_000\n",
            "line 2: pages: received '1_000'; should be a valid integer: write 1000",
        ),
        ("shapes: {}\npages: '12'\n", "line 2: pages: received '12'; should be a valid integer: write 12"),
        ("shapes: {}\npages: 1:30\n", "line 2: pages: received '1:30'; should be a valid integer"),
        ("shapes: {}\nbound: yes\n", "line 2: bound: received 'yes'; should be true or false"),
        (
            "shapes: {}\nsize: []\n",
            "line 2: size: received []; should be a valid integer or should be a text",
        ),
        ("pages: 2\n", "shapes: required, but not given"),
    ],
)
def test_violations_say_where_and_what(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "f.yaml").validate(Drawing)
    assert message in str(caught.value)
    assert str(caught.value).startswith("f.yaml")


def test_all_mistakes_of_a_file_are_told_at_once_by_line() -> None:
    text = """pages: 1.5
shapes:
  a:
    kind: circle
    radios: 1
  b:
    kind: polygon
    sides: [3, x, y]
pagse: 2
bound: on
"""
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "f.yaml").validate(Drawing)
    told = [line.partition("; allowed")[0] for line in str(caught.value).splitlines()]
    assert told == [
        "f.yaml, line 1: pages: received 1.5; should be a valid integer",
        "f.yaml, line 3: shapes.a.radius: required, but not given",
        "f.yaml, line 5: shapes.a.radios: unknown key (did you mean radius?)",
        "f.yaml, line 8: shapes.b.sides.1: received 'x'; should be a valid integer",
        "f.yaml, line 8: shapes.b.sides.2: received 'y'; should be a valid integer",
        "f.yaml, line 9: pagse: unknown key (did you mean pages?)",
        "f.yaml, line 10: bound: received 'on'; should be true or false",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "line 2: a: given twice"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("1: x\n", "keys are words, received '1'"),
        ("? [1, 2]\n: x\n", "keys are words"),
        ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("b: 1\na: !!int 1_000\n", "line 2: not valid YAML: '1_000' is not of type int"),
        ("a: !!timestamp 2026-01-01\n", "line 1: not valid YAML here: a timestamp"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"f\.yaml") as caught:
        parse_yaml(text, "f.yaml")
    assert message in str(caught.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml: cannot be read"):
        read_yaml(tmp_path / "latin.yaml")


def test_models_are_frozen_and_convert_nothing() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Circle(kind="circle", radius=1.0).radius = 2.0
    with pytest.raises(ValueError, match="valid number"):
        Circle.model_validate({"kind": "circle", "radius": "1"})
