"""Writes to MLflow arrive even if MLflow does not answer for a long time."""

import queue
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.store import Store
from tests.tuning.tracking.test_mirror import STATUSES, check
from tests.tuning.trained import begin, train
from tuning.tracking import mirror, outbox
from tuning.tracking.outbox import Outbox
from tuning.tracking.tracker import Tracker


def test_what_is_put_arrives(store: Store, tmp_path: Path) -> None:
    tracker, said = Tracker(store.uri), list[str]()
    search = begin(tmp_path / "s", tracker)
    box = Outbox(tracker, search, said.append)
    for record in search.ledger.records():
        box.put(record)
    assert box.close(patience=0) is None
    check(store, tracker.search_id, search, STATUSES)
    assert said == []


def test_a_driver_catches_up_with_what_an_earlier_one_left(store: Store, tmp_path: Path) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    first = Outbox(tracker, search, print)
    for record in search.ledger.records()[::2]:
        first.put(record)
    assert first.close(patience=0) is None
    again = Tracker(store.uri)
    again.open_search(tracker.search_id)
    second = Outbox(again, search, print)
    second.catch_up(search.ledger.records())
    train(search.ledger, 5, 3)
    search.ledger.end(5, full_budget=True)
    second.put(search.ledger.record(5))
    assert second.close(patience=0) is None
    check(store, tracker.search_id, search, [*STATUSES[:5], "FINISHED"])


def test_a_locked_database_holds_up_neither_the_search_nor_for_ever_the_figures(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, said = Tracker(store.uri), list[str]()
    search = begin(tmp_path / "s", tracker)
    real, tried = tracker.client, threading.Event()
    asking: set[threading.Thread] = set()

    class Impatient:
        """SQLite itself waits for 5 seconds and more before it tells."""

        def __getattr__(self, name: str) -> Any:
            if locked.in_transaction:
                asking.add(threading.current_thread())
                tried.set()
                raise RuntimeError("database is locked")
            return getattr(real, name)

    locked = sqlite3.connect(store.uri.removeprefix("sqlite:///"), isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(tracker, "client", Impatient())
    box = Outbox(tracker, search, said.append)
    for record in search.ledger.records():
        box.put(record)
    assert tried.wait(30)
    assert threading.current_thread() not in asking
    locked.execute("ROLLBACK")
    assert box.close(patience=30) is None
    locked.close()
    check(store, tracker.search_id, search, STATUSES)
    assert [text.split(":")[0] for text in said] == [
        "cannot write to MLflow",
        "MLflow answers again; the delayed metrics are being written",
    ]


def brought(monkeypatch: pytest.MonkeyPatch) -> "queue.SimpleQueue[tuple[int, int]]":
    """Number and epoch of every trial that is written from now on."""
    real: Any = mirror.bring
    written: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def bring(tracker: Any, search: Any, record: Any, run: Any, *, driven: bool) -> Any:
        found = real(tracker, search, record, run, driven=driven)
        written.put((record.number, record.epoch))
        return found

    monkeypatch.setattr(mirror, "bring", bring)
    return written


def test_what_a_trial_reports_in_quick_succession_goes_together(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    written = brought(monkeypatch)
    box = Outbox(tracker, search, print, gather=600)
    for record in search.ledger.records():
        for epoch in record.epochs:
            epochs = {known: one for known, one in record.epochs.items() if known <= epoch}
            box.put(replace(record, status="running", epochs=epochs))
        box.put(record)
    assert box.close(patience=0) is None
    assert [written.get_nowait() for _ in range(written.qsize())] == [
        (record.number, record.epoch) for record in search.ledger.records()
    ]
    check(store, tracker.search_id, search, STATUSES)


def test_a_trial_is_written_while_the_search_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "s", tracker)
    written = brought(monkeypatch)
    box = Outbox(tracker, search, print, gather=0.01)
    for epoch in (3, 4):
        search.ledger.note_epoch(5, epoch, training={"train/loss": 1.0, "images_per_second": 1.0})
        box.put(search.ledger.record(5))
        assert written.get(timeout=60) == (5, epoch)
    (run,) = tracker.trial_runs(5)
    assert tracker.epochs(run.run_id) == (1, 2, 3, 4)
    assert box.close(patience=0) is None


class Gone:
    """A store that never answers."""

    uri = "http://127.0.0.1:9"
    search_id = "s"

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError("connection refused")


def test_an_outage_that_does_not_end_is_told_once_and_at_the_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.05)
    said = list[str]()
    search = begin(tmp_path / "s", Tracker(store.uri))
    box = Outbox(Gone(), search, said.append)  # type: ignore[arg-type]
    for record in search.ledger.records():
        box.put(record)
    began = time.monotonic()
    assert box.close(patience=0.5) == "connection refused"
    assert time.monotonic() - began < 4
    assert said == [
        "cannot write to MLflow: connection refused. The search continues; the missing metrics are "
        "written later"
    ]


def test_what_mlflow_will_never_take_is_told_and_holds_up_nothing(store: Store, tmp_path: Path) -> None:
    tracker, said = Tracker(store.uri), list[str]()
    search = begin(tmp_path / "s", tracker)
    search.ledger.note_epoch(5, 3, training={"images_per_second": 1.0, "a[0]": 1.0})
    box = Outbox(tracker, search, said.append)
    for record in reversed(search.ledger.records()):
        box.put(record)
    assert "trial 005: 'train/a[0]' cannot be a name in MLflow" in str(box.close(patience=0))
    assert len(said) == 1
    assert len(tracker.trial_runs()) == 6
    assert [run.status for run in sorted(tracker.trial_runs(), key=lambda run: run.number)] == STATUSES
