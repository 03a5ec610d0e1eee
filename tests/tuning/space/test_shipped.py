"""The space files that come with the program, found by name."""

from pathlib import Path

import pytest

from dcodr.errors import UserError
from tuning.space import load_space
from tuning.space.shipped import SPACES, space_path

ROOT = Path(__file__).parents[3]


def test_a_name_alone_means_a_shipped_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert SPACES == ROOT / "search_spaces"
    assert load_space("quick") == load_space(SPACES / "quick.yaml")
    (tmp_path / "quick").mkdir()
    assert space_path(Path("quick")) == SPACES / "quick.yaml"


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "augs").write_text((SPACES / "quick.yaml").read_text())
    assert load_space("augs").params == load_space("quick").params


def test_a_name_that_is_neither_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^qick: neither a file nor .* \(did you mean quick\?\); allowed: augs, "
    ):
        load_space("qick")


@pytest.mark.parametrize("given", ["quick.yaml", "./quick", "nowhere/quick"])
def test_what_looks_like_a_path_is_one(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="cannot be read: no such file"):
        load_space(given)
