"""The promises of ``pyproject.toml`` about Python and the dependencies, checked without a network."""

import tomllib
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.packaging.resolve import PYTHONS

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
OLDEST = PROJECT["project"]["requires-python"].removeprefix(">=")


def test_the_linters_check_for_the_oldest_python() -> None:
    assert PROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")


def test_the_promised_pythons_begin_with_the_oldest_and_have_no_gap() -> None:
    oldest = int(OLDEST.removeprefix("3."))
    assert [f"3.{minor}" for minor in range(oldest, oldest + len(PYTHONS))] == PYTHONS


def test_what_is_installed_meets_the_floors() -> None:
    for text in PROJECT["project"]["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(metadata(requirement.name)["Version"], prereleases=True), text


def test_no_dependency_refuses_the_oldest_python() -> None:
    """Of what is installed here; ``python -m tests.packaging.resolve`` asks PyPI for every Python."""
    for text in PROJECT["project"]["dependencies"]:
        name = Requirement(text).name
        asked = metadata(name)["Requires-Python"] or ""
        assert SpecifierSet(asked).contains(OLDEST), f"{name} needs Python {asked}, we say {OLDEST}"
