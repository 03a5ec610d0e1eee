"""MLflow becomes what the ledger says, whatever it had before, and nothing is there twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from dcodr.config import PRESETS
from tests.tuning.report.searches import confirm, made
from tests.tuning.store import Store
from tests.tuning.trained import begin
from tuning.ledger.trials import TrialStatus
from tuning.results.search import Search
from tuning.space.words import label
from tuning.tracking import mirror
from tuning.tracking.descriptions import DESCRIPTION
from tuning.tracking.metrics import epoch_metrics
from tuning.tracking.tracker import Tracker

STATUSES = ["FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED", "RUNNING"]


def test_a_method_without_augmentations_shows_none(tmp_path: Path, store: Store) -> None:
    search = begin(tmp_path / "s", Tracker(store.uri))
    (record, *_) = search.trials()
    shown = mirror.parameters(record, search.space)
    assert shown["augmentations"] == "+".join(record.values["augmentations"])
    for name in ("crop", "horizontal_flip"):
        assert shown[f"augmentation.{name}"] == (name in record.values["augmentations"])
    lord = search.space.model_copy(update={"base": PRESETS["paper"].model_copy(update={"method": "lord"})})
    assert mirror.parameters(record, lord) == {"epochs": 200, "seed": 0, **record.values}


def shown(value: float) -> float:
    """Return a metric as MLflow has it."""
    return float(f"{value:.4g}")


def check(store: Store, parent: str, search: Search, statuses: list[str]) -> None:
    """One run a trial, with every figure of the ledger once, rounded."""
    runs = {int(run.data.tags["trial"]): run for run in store.children(parent)}
    assert len(store.children(parent)) == len(runs) == len(statuses)
    for record in search.ledger.records():
        run = runs[record.number]
        assert run.info.status == statuses[record.number]
        assert store.points(run.info.run_id, "train/loss") == [
            (epoch, shown(one.training["train/loss"])) for epoch, one in record.epochs.items()
        ]
        assert store.points(run.info.run_id, "invariance") == [
            (epoch, shown(one.metrics["invariance"])) for epoch, one in record.evaluated.items()
        ]
        tested = [(record.epoch, record.test["invariance"])] if record.test else []
        assert store.points(run.info.run_id, "test/invariance") == tested
        assert run.data.params["temperature"] == str(record.values["temperature"])
        assert f"temperature: {record.values['temperature']}" in store.artifact(
            run.info.run_id, "config.yaml"
        )
        ended = {} if record.status == "running" else mirror.ended(record)
        assert ended.items() <= run.data.tags.items()


@contextmanager
def failing(tracker: Tracker, call: int, *, arrives: bool) -> Iterator[None]:
    """Let one of the calls to MLflow fail: before it has had its effect, or behind."""
    real, calls = tracker.client, iter(range(1000))

    class Client:
        def __getattr__(self, name: str) -> Any:
            def attempt(*args: Any, **kwargs: Any) -> Any:
                if next(calls) != call:
                    return getattr(real, name)(*args, **kwargs)
                if arrives:
                    getattr(real, name)(*args, **kwargs)
                raise ConnectionError("the server is gone")

            return attempt

    tracker.client = Client()  # type: ignore[assignment]
    try:
        yield
    finally:
        tracker.client = real


def bring_all(search: Search, tracker: Tracker, *numbers: int) -> None:
    """Bring all or some trials to MLflow, as one who does not know what is there."""
    for record in search.ledger.records():
        if numbers and record.number not in numbers:
            continue
        found = tracker.trial_runs(record.number)
        run = replace(found[0], epochs=tracker.epochs(found[0].run_id)) if found else None
        mirror.bring(tracker, search, record, run, driven=True)


@pytest.mark.parametrize("arrives", [False, True])
def test_every_figure_is_there_once_whichever_call_fails(arrives: bool, store: Store, tmp_path: Path) -> None:
    search = begin(tmp_path / "s", Tracker(store.uri))
    record = search.ledger.record(4)
    failed = 0
    while True:
        tracker = store.begin(f"failing {failed} {arrives}")
        try:
            with failing(tracker, failed, arrives=arrives):
                bring_all(search, tracker, 4)
        except ConnectionError:
            failed += 1
        else:
            break
        bring_all(search, tracker, 4)
        (run,) = store.children(tracker.search_id)
        assert run.info.status == "FINISHED"
        assert [epoch for epoch, _ in store.points(run.info.run_id, "train/loss")] == [1, 2, 3]
        assert len(store.points(run.info.run_id, "test/invariance")) == 1
        assert run.data.params["temperature"] == str(record.values["temperature"])
        assert "temperature" in store.artifact(run.info.run_id, "config.yaml")
    assert failed > 6


def test_nothing_is_lacking_afterwards_and_nothing_written_then(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    bring_all(search, tracker)
    for run in tracker.trial_runs():
        record = search.ledger.record(run.number)
        full = replace(run, epochs=tracker.epochs(run.run_id))
        assert not mirror.gap(search, record, full, driven=True)
        assert mirror.is_ended(search, record, run) == (record.status != "running")
        assert bool(mirror.gap(search, record, full, driven=False)) == (record.status == "running")


def test_a_trial_that_was_never_trained_has_no_run(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    (*_, running) = search.ledger.records()
    never = replace(running, status="interrupted", epochs={})
    assert mirror.bring(tracker, search, never, None, driven=False) is None
    assert tracker.trial_runs() == []


def test_the_parent_says_what_the_search_came_to(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    mirror.close_parent(search, tracker)
    parent = store.client.get_run(tracker.search_id)
    assert parent.info.status == "KILLED"
    wanted = {"trials_complete": "1", "trials_pruned": "1", "trials_failed": "1", "front": "1"}
    assert wanted.items() <= parent.data.tags.items()
    assert store.artifact(tracker.search_id, "space.yaml") == (tmp_path / "s" / "space.yaml").read_text()
    assert "0.03" in store.artifact(tracker.search_id, "front.csv")
    search.ledger.remember("ended", "all 8 trials are done")
    mirror.close_parent(search, tracker)
    assert store.client.get_run(tracker.search_id).info.status == "FINISHED"


def test_a_trial_that_does_not_compete_any_more_loses_its_rank(store: Store, tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5], [0.75, 0.75], [0.25, 0.25]])
    tracker = Tracker(store.uri)
    search.ledger.remember("run_id", mirror.open_parent(search.folder, search.space, tracker, "a"))
    for record in search.ledger.records():
        mirror.bring(tracker, search, record, None, driven=False)

    def tags() -> list[tuple[str | None, str | None]]:
        mirror.close_parent(search, tracker)
        runs = sorted(tracker.trial_runs(), key=lambda run: run.number)
        return [(run.tags.get("front"), run.tags.get("rank")) for run in runs[:3]]

    assert tags() == [("false", "2"), ("true", "1"), ("false", "3")]
    for number in (0, 1):
        confirm(search, number, [[0.5, 0.5 - number / 10]] * 2)
    assert tags() == [("true", "1"), ("false", "2"), ("false", "")]


def test_a_trial_that_was_stopped_early_looks_neither_failed_nor_complete(
    store: Store, tmp_path: Path
) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    record = search.ledger.record(1)
    begun = replace(record, status="running", epochs={1: record.epochs[1]})
    run = mirror.bring(tracker, search, begun, None, driven=True)
    mirror.bring(tracker, search, record, run, driven=True)
    bring_all(search, tracker, 0)
    whole, stopped = sorted(store.children(tracker.search_id), key=lambda run: int(run.data.tags["trial"]))
    assert stopped.info.status == "FINISHED"
    assert stopped.info.run_name.startswith("001 stopped at epoch 2: ")
    assert stopped.data.tags["status"] == "pruned"
    assert stopped.data.tags[DESCRIPTION].startswith("**Stopped early** after 2 of 3 epochs")
    assert "stopped" not in whole.info.run_name
    assert whole.data.tags[DESCRIPTION].startswith("**Trained to the end**, 3 of 3 epochs")


def test_objectives_come_first_and_all_metrics_are_rounded(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    record = search.ledger.record(0)
    raw = {
        "invariance": 0.987654321,
        "informativeness": 1 / 3,
        "accuracy/pose": 2 / 3,
        "effective_rank": 12.3456,
    }
    last = replace(
        record.epochs[3], metrics=raw, training={"train/loss": 0.000123456, "images_per_second": 8765.4}
    )
    changed = replace(record, epochs={**record.epochs, 3: last})
    mirror.bring(tracker, search, changed, None, driven=True)
    (run,) = store.children(tracker.search_id)
    assert sorted(run.data.metrics)[:2] == ["informativeness", "invariance"]
    assert run.data.metrics == {
        "invariance": 0.9877,
        "informativeness": 0.3333,
        "probe/accuracy/pose": 0.6667,
        "probe/effective_rank": 12.35,
        "train/loss": 0.0001235,
        "train/images_per_second": 8765,
    }
    assert epoch_metrics(last, ["effective_rank"])["effective_rank"] == 12.35


def test_runs_say_what_was_trained_and_what_came_of_it(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    begun = store.client.get_run(tracker.search_id).data.tags[DESCRIPTION]
    assert "A search for settings of `dcodr` on `synthetic`: maximize invariance" in begun
    bring_all(search, tracker)
    runs = {int(run.data.tags["trial"]): run for run in store.children(tracker.search_id)}
    about = {number: run.data.tags.get(DESCRIPTION, "none") for number, run in runs.items()}
    assert about[2].startswith("**Infeasible** after 3 of 3 epochs: the code is constant")
    assert about[3].startswith("**Failed** after 1 of 3 epochs: no such file")
    assert "| metric" not in about[3]
    assert "| invariance | 0.430 |  | 0.750 |" in about[4]
    assert "| invariance | 0.030 |  | not measured |" in about[0]
    assert about[5] == "none"
    values = search.ledger.record(0).values
    assert runs[0].info.run_name == f"000 {label(values)}"
    assert f"`dcodr` on `synthetic`, {label(values)}, seed 0" in about[0]
    # A test that comes later is added.
    search.ledger.note_test(0, {"invariance": 0.5})
    bring_all(search, tracker, 0)
    tags = store.client.get_run(runs[0].info.run_id).data.tags
    assert "| invariance | 0.030 |  | 0.500 |" in tags[DESCRIPTION]


def test_every_end_of_a_trial_has_a_status_in_mlflow() -> None:
    statuses = {status for kind in get_args(TrialStatus) for status in get_args(kind)}
    assert {*mirror.OUTCOMES, "running"} == statuses
