"""Watching a search: what is shown while it runs, and when it ends."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuning.report.searches import made
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.report.watch import PAUSE, watch
from tuning.results.search import Search


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return made(tmp_path / "s", [[0.25, 0.5], [0.5, 0.25]])


def watched(search: Search, console: Console) -> list[float]:
    """Watch a search that begins a trial after the second reading, and ends after the fourth."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            Queue(search.ledger).begin()
        if len(waited) == 4:
            search.ledger.remember("ended", "its trials are done")

    with driving(search.folder):
        assert watch(search.results, console, sleep).facts["ended"] == "its trials are done"
    return waited


def test_a_pipe_gets_a_line_for_each_change(search: Search) -> None:
    file = io.StringIO()
    waited = watched(search, Console(file=file, width=200))
    assert file.getvalue().strip().splitlines() == ["Search s: 2 complete", "Search s: 2 complete, 1 running"]
    assert len(waited) == 4
    assert min(waited) >= PAUSE


def test_a_terminal_shows_the_front_in_place(search: Search) -> None:
    file = io.StringIO()
    watched(search, Console(file=file, width=100, height=40, force_terminal=True))
    assert file.getvalue().count("hypervolume of the front") >= 4
    assert "1 running" in file.getvalue()
    assert "\x1b[1A" in file.getvalue()  # the cursor goes back up


def test_a_search_whose_process_died_ends_the_watch(search: Search) -> None:
    results = watch(
        search.results, Console(file=io.StringIO()), sleep=lambda _: pytest.fail("waits for nobody")
    )
    assert not results.driven
