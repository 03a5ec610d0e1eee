"""The core schema of YAML 1.2 (its chapter 10.3.2): what is read, and that what is written is read back."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dcodr.strict_yaml import parse_yaml
from dcodr.yaml_core import dump_yaml

SPECIFICATION = """
A null: null
Also a null:
Not a null: ""
Booleans: [true, True, false, FALSE]
Integers: [0, 0o7, 0x3A, -19]
Floats: [0., -0.0, .5, +12e03, -2E+05]
Also floats: [.inf, -.Inf, +.INF, .NAN]
"""


def test_the_example_of_the_specification() -> None:
    data = parse_yaml(SPECIFICATION, "example").data
    assert math.isnan(data["Also floats"].pop())
    assert data == {
        "A null": None,
        "Also a null": None,
        "Not a null": "",
        "Booleans": [True, True, False, False],
        "Integers": [0, 7, 58, -19],
        "Floats": [0.0, -0.0, 0.5, 12e3, -2e5],
        "Also floats": [math.inf, -math.inf, math.inf],
    }
    assert [type(number) for number in data["Integers"] + data["Floats"]] == [int] * 4 + [float] * 5


@pytest.mark.parametrize(
    "text", ["yes", "On", "n", "1_0", "1:30", "0b1", "-0x1", "2001-01-01", "<<", "=", "1e", "e1"]
)
def test_what_only_yaml_1_1_gives_a_meaning_is_text(text: str) -> None:
    assert parse_yaml(f"a: {text}\n", "f").data == {"a": text}


@pytest.mark.parametrize(("text", "number"), [("010", 10), ("-007", -7), ("08", 8)])
def test_leading_zeros_mean_nothing(text: str, number: int) -> None:
    assert parse_yaml(f"a: {text}\n", "f").data == {"a": number}


ODD = [
    "010",
    "0o10",
    "1e3",
    "1e-3",
    ".5",
    "5.",
    "1_0",
    "1:30",
    "yes",
    "NO",
    "~",
    "null",
    "",
    "2001-01-01",
    "0x1",
    ".inf",
]
TEXTS = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS


@given(
    data=st.dictionaries(TEXTS.filter(bool), VALUES | st.lists(VALUES, max_size=3), max_size=4),
    one_line=st.booleans(),
)
def test_what_is_written_is_read_back_here_and_by_yaml_1_1(data: dict[str, object], one_line: bool) -> None:
    text = dump_yaml(data, one_line=one_line)
    assert repr(parse_yaml(text, "f").data) == repr(data)
    assert repr(yaml.safe_load(text)) == repr(data)
