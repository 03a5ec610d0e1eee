"""The stages of a search, without the trainings in them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.tuning.report.searches import made
from tuning import run
from tuning.driver import stages
from tuning.results.search import Search
from tuning.space import Space


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """A search with trials to spare."""
    return made(tmp_path / "s", [[0.5, 0.5], [0.6, 0.4]])


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that have begun; measurements of the test images are interrupted."""
    begun: list[str] = []

    def interrupted(*_: object) -> None:
        begun.append("tests")
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "_search", lambda *_: begun.append("trials"))
    monkeypatch.setattr(stages, "measure", interrupted)
    return begun


def go_on(search: Search) -> None:
    outbox: Any = None
    with pytest.raises(KeyboardInterrupt):
        stages.run_stages(search, outbox, Console(quiet=True))


def reopen(search: Search, space: Space, monkeypatch: pytest.MonkeyPatch) -> Search:
    monkeypatch.setattr(run, "require_artifacts", lambda *_: None)
    tracker: Any = SimpleNamespace(uri="", artifacts="", open_search=lambda _: "", set_status=lambda *_: None)
    return run._reopen(search, tracker, space)


def test_a_time_budget_does_not_begin_anew_after_the_trials(
    search: Search, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(search)
    go_on(reopen(search, search.space, monkeypatch))
    assert begun == ["trials", "tests", "tests"]


@pytest.mark.parametrize("budget", [{"trials": 99}, {"time_budget": 60.0}, {"epoch_budget": 500}])
def test_another_budget_is_used(
    budget: dict[str, Any], search: Search, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(search)
    settings = search.space.search.model_copy(update=budget)
    go_on(reopen(search, search.space.model_copy(update={"search": settings}), monkeypatch))
    assert begun == ["trials", "tests"] * 2


def test_a_search_that_has_ended_gets_its_time_budget_again(
    search: Search, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(search)
    search.ledger.remember("ended", "the time budget of 60 s is spent")
    go_on(reopen(search, search.space, monkeypatch))
    assert begun == ["trials", "tests"] * 2
