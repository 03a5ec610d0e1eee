"""The rows of starting up: a command that ends otherwise than it should is no measurement."""

import pytest

from benchmarks import startup


def test_a_command_that_ends_otherwise_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 2: error: none\.yaml"):
        startup.seconds_of(["--space", "none.yaml"], 0)


def test_what_a_command_imports_is_found() -> None:
    found = startup.imported(["--help"])
    assert "typer" in found
    assert not found & startup.ENGINES
