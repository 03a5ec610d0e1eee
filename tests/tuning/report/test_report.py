"""The text at a search's end: its files and the next commands."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuning.report.searches import made, spread
from tuning.report.terminal import print_summary
from tuning.results.search import Search


def said(search: Search) -> list[str]:
    """Return the lines of a search's end."""
    search.ledger.remember("ended", "all 40 trials are done")
    file = io.StringIO()
    print_summary(search.results(), Console(file=file, width=100))
    return file.getvalue().splitlines()


def test_paths_and_commands_are_as_short_as_the_folder_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = made(tmp_path / "runs" / "my cars", spread(3))
    knee = search.results().config_file(search.best_tradeoff())
    lines = said(search)
    assert "Configs of the front: runs/my cars/configs" in lines
    train = f"python -m dcodr train --config 'runs/my cars/configs/{knee}' --out trained"
    assert f"Train the best trade-off: {train}" in lines
    assert "All of it as one page: python -m tuning report 'my cars'" in lines
    monkeypatch.chdir(tmp_path.parent)
    command = f"python -m tuning report 'my cars' --storage {tmp_path.name}/runs"
    assert f"All of it as one page: {command}" in said(search)


def test_an_analysis_is_named_only_where_there_is_one_or_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = made(tmp_path / "runs" / "few", spread(7))
    assert "Importance of the settings: an analysis needs 8 complete trials; this search has 7." in said(few)
    many = made(tmp_path / "runs" / "many", spread(8))
    assert "Importance of the settings: python -m tuning analyse many" in said(many)
    (many.folder / "analysis").mkdir()
    assert "Importance of the settings: runs/many/analysis" in said(many)
