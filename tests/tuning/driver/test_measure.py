"""The end of a search: kept encoders are measured, what cannot be is named, nothing is measured twice."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayError
from rich.console import Console

from tests.tuning.report.searches import confirm, made
from tuning.driver import measure as measuring
from tuning.driver.measure import Measured, measure
from tuning.ledger.trials import TrialRecord, kept_of
from tuning.results.final_metrics import unmeasured
from tuning.results.search import Search

PAPER, BEST, DOMINATED = range(3)


class Inline:
    """Stands in for Ray: runs a task when its turn comes, in this process."""

    def __init__(self, task: Callable[..., dict[str, float]]) -> None:
        self.task = task
        self.options_of: list[dict[str, Any]] = []
        self.most = 0

    def remote(self, *words: Any) -> Any:
        if callable(words[0]):  # the function that becomes a task
            return self
        return words  # a task's arguments stand for its result

    def options(self, **options: Any) -> "Inline":
        self.options_of.append(options)
        return self

    def wait(self, waiting: list[Any]) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(waiting))
        return waiting[:1], waiting[1:]

    def get(self, words: Any) -> Measured:
        metrics = self.task(*words)
        return metrics, {name: (value - 0.1, value + 0.1) for name, value in metrics.items()}


class Sent:
    """Stands in for the outbox."""

    def __init__(self) -> None:
        self.records: list[TrialRecord] = []

    def put(self, record: TrialRecord) -> None:
        self.records.append(record)


def number_of(checkpoint: str) -> int:
    return int(Path(checkpoint).parent.name)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    search = made(tmp_path / "s", [[0.5, 0.5], [0.75, 0.75], [0.25, 0.25]])
    for number in (PAPER, BEST, DOMINATED):
        kept_of(search.folder, number).mkdir(parents=True)
        (kept_of(search.folder, number) / "checkpoint.pt").touch()
    return search


def ask(
    search: Search,
    monkeypatch: pytest.MonkeyPatch,
    task: Callable[..., dict[str, float]],
    at_once: int = 8,
) -> tuple[str, list[TrialRecord], Inline]:
    """Return the printed text, the records for MLflow, and the stand-in of Ray."""
    said, sent, inline = io.StringIO(), Sent(), Inline(task)
    monkeypatch.setattr(measuring, "ray", inline)
    monkeypatch.setattr(measuring, "places", lambda resources: at_once)
    measure(search, sent, Console(file=said, width=400))  # type: ignore[arg-type]
    return said.getvalue(), sent.records, inline


def test_the_best_and_the_paper_are_measured_once_with_what_a_trial_gets(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def task(checkpoint: str, gpus: float) -> dict[str, float]:
        asked.append(number_of(checkpoint))
        return {"invariance": asked[-1] / 8}

    said, sent, inline = ask(search, monkeypatch, task)
    assert asked == [BEST, PAPER]
    assert "on the test images: 2 encoders" in said
    assert [(record.number, record.test) for record in sent] == [
        (BEST, {"invariance": 0.125}),
        (PAPER, {"invariance": 0.0}),
    ]
    assert list(sent[0].test_intervals["invariance"]) == pytest.approx([0.025, 0.225])
    assert inline.options_of == [{"num_cpus": 1.0, "num_gpus": 0.0, "resources": {}}] * 2
    again = Search.open(search.name, search.folder.parent)
    assert unmeasured(again.results()) == []
    assert ask(again, monkeypatch, task)[0] == ""
    assert asked == [BEST, PAPER]


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (8, 4)])
def test_no_more_are_measured_at_a_time_than_trials_are_trained(
    search: Search, monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
) -> None:
    for number in (PAPER, BEST):
        for run in confirm(search, number, [(0.5 + number / 4, 0.5)] * 2):
            kept_of(search.folder, run).mkdir(parents=True)
            (kept_of(search.folder, run) / "checkpoint.pt").touch()
    _, sent, inline = ask(search, monkeypatch, lambda *_: {"invariance": 0.5}, at_once)
    assert (inline.most, len(sent)) == (most, 4)


def test_what_cannot_be_measured_is_named_and_the_rest_is_measured(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept_of(search.folder, PAPER) / "checkpoint.pt").unlink()

    def die(checkpoint: str, gpus: float) -> dict[str, float]:
        raise RayError("traceback\nthe worker died")

    said, sent, _ = ask(search, monkeypatch, die)
    assert "Trial 000 has no metrics on the test images: its encoder was not kept: there is no" in said
    assert "Trial 001 has no metrics on the test images: the worker died" in said
    assert sent == []
    assert "code is not finite" in ask(search, monkeypatch, lambda *_: {})[0]
    ask(search, monkeypatch, lambda *_: {"invariance": 0.5})
    assert [run.number for run in unmeasured(search.results())] == [PAPER]


def test_a_search_that_is_interrupted_keeps_what_was_measured(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(checkpoint: str, gpus: float) -> dict[str, float]:
        if number_of(checkpoint) == PAPER:
            raise KeyboardInterrupt
        return {"invariance": 0.5}

    with pytest.raises(KeyboardInterrupt):
        ask(search, monkeypatch, press)
    again = Search.open(search.name, search.folder.parent)
    assert [run.number for run in unmeasured(again.results())] == [PAPER]


def test_confirmations_keep_their_encoders_until_the_front_is_known(search: Search) -> None:
    reached = {PAPER: 0.5, BEST: 0.25}
    runs = {number: confirm(search, number, [(value, value)] * 2) for number, value in reached.items()}
    for run in [*runs[PAPER], *runs[BEST]]:
        kept_of(search.folder, run).mkdir(parents=True)
        (kept_of(search.folder, run) / "checkpoint.pt").touch()

    def left() -> list[int]:
        return sorted(int(path.parent.name) for path in search.folder.glob("trials/*/checkpoint.pt"))

    search.forget_encoders()
    assert left() == [PAPER, BEST, *runs[PAPER], *runs[BEST]]
    search.forget_encoders(over=True)
    assert left() == [PAPER, BEST, *runs[PAPER]]
