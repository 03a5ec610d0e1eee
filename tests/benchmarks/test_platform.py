"""The rows of the platform: whose place a trial takes, what counts as training, how reports are told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import platform
from benchmarks.platform import Kind, Moment
from dcodr.training import trainer
from tuning.driver import trainable
from tuning.tracking import mirror, outbox

TOLD: list[Kind] = ["begins", "trained", "saves", "reports", "goes on", "saves", "reports", "goes on", "ends"]


def trial(number: int, worker: int, began: float, *, stopped: bool = False) -> list[Moment]:
    """A trial that tells something every second; one that is stopped ends 3 s after its first report."""
    if stopped:
        kinds, seconds = [*TOLD[:4], "ends"], [0, 1, 2, 3, 6]
        return [Moment(worker, number, kind, began + at) for kind, at in zip(kinds, seconds, strict=True)]
    return [Moment(worker, number, kind, began + at) for at, kind in enumerate(TOLD)]


def test_a_trial_takes_the_place_of_the_one_before_in_its_worker() -> None:
    moments = [*trial(0, 7, 0), *trial(1, 8, 0.5), *trial(3, 8, 9.25), *trial(2, 7, 8.75)]
    assert platform.waits(moments, 2) == [1.75, 1.75]


def test_a_stopped_trial_ends_with_its_last_report() -> None:
    assert platform.waits([*trial(0, 7, 0, stopped=True), *trial(1, 7, 7)], 1) == [8 - 3]


def test_a_new_worker_takes_the_place_that_was_free_first() -> None:
    moments = [*trial(0, 7, 0), *trial(1, 8, 1), *trial(2, 9, 12)]
    assert platform.waits(moments, 2) == [13 - 8]


def test_training_is_from_the_first_step_or_a_report_to_the_next_checkpoint() -> None:
    moments = [*trial(0, 7, 2), *trial(1, 8, 2), *trial(2, 7, 12)]
    # Two epochs of a second each in every trial; one core ends at 10, the other at 20.
    assert platform.share(moments, 0, 2) == pytest.approx(6 / 30)


def test_a_trial_tells_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_MOMENTS", str(tmp_path / "moments"))
    before = dict(vars(trainable)), dict(vars(trainer))

    def short_fit(config: Any, data: Any, *, on_epoch: Any, on_step: Any) -> None:
        on_step(1, 2)
        on_step(2, 2)
        vars(trainer)["save_checkpoint"](None, None)
        on_epoch(None)

    def short_trial(assignment: dict[str, Any]) -> None:
        vars(trainable)["fit"](None, None, on_epoch=lambda epoch: None)

    monkeypatch.setattr(platform, "fit", short_fit)
    monkeypatch.setattr(platform, "save_checkpoint", lambda *args: None)
    with platform.replaced(trainable, "train_trial", short_trial):
        platform.train_and_tell({"number": 3})
    told = [Moment(**json.loads(line)) for line in (tmp_path / "moments").read_text().splitlines()]
    assert [moment.kind for moment in told] == ["begins", "trained", "saves", "reports", "goes on", "ends"]
    assert {(moment.worker, moment.trial) for moment in told} == {(os.getpid(), 3)}
    assert (vars(trainable), vars(trainer)) == before


def test_what_was_replaced_comes_back_after_an_error() -> None:
    before = outbox.GATHERED
    seen = []

    def work() -> None:
        with platform.replaced(outbox, "GATHERED", 0.0):
            seen.append(outbox.GATHERED)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert seen == [0]
    assert before == outbox.GATHERED


def test_the_driver_works_off_reports_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "REPORTING", 2)
    written: list[tuple[int, int]] = []
    bring = mirror.bring

    def noting(tracker: Any, search: Any, record: Any, run: Any, *, driven: bool) -> Any:
        written.append((record.number, record.epoch))
        return bring(tracker, search, record, run, driven=driven)

    monkeypatch.setattr(mirror, "bring", noting)
    assert platform.reporting(3, ray=False) > 0
    assert sorted(written) == [(n, epoch) for n in range(2) for epoch in (0, 1, 2, 3, 3)]
