"""Trials whose workers die."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.tuning.assignments import assignment
from tuning.driver.display import Display
from tuning.driver.recorder import Recorder
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import TrialRecord
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    space = load_space(QUICK)
    ledger = Ledger.create(tmp_path / "ledger.log", space, {})
    ledger.ready(SpaceSampler)
    return ledger


@pytest.fixture
def queue(ledger: Ledger) -> Queue:
    return Queue(ledger)


class Sent:
    """Stands in for the outbox: what was to be written of which trial."""

    def __init__(self) -> None:
        self.records: list[TrialRecord] = []

    def put(self, record: TrialRecord) -> None:
        self.records.append(record)


def handed_out(queue: Queue, error: str = "", gpus: float = 0.0) -> Any:
    """Return a trial as Tune knows it, whose worker has died."""
    begun = queue.begin()
    assert begun is not None
    gpus = begun.gpus or gpus
    return SimpleNamespace(config=assignment(begun.number, gpus=gpus), get_error=lambda: RuntimeError(error))


def test_a_trial_whose_worker_dies_before_it_trains_is_handed_out_again(
    ledger: Ledger, queue: Queue, tmp_path: Path
) -> None:
    sent = Sent()
    display = Display(4, ledger.space.objectives, ledger.space.reference, console=Console(file=io.StringIO()))
    recorder = Recorder(Search(tmp_path, ledger), queue, sent, display)  # type: ignore[arg-type]
    for _ in range(3):
        trial = handed_out(queue, "the actor died")
        recorder.on_trial_error(0, [], trial)
        assert (trial.config["number"], queue.left_over(), sent.records) == (0, True, [])
    recorder.on_trial_error(0, [], handed_out(queue, "the actor died"))
    assert not queue.left_over()
    assert [(record.status, record.reason) for record in sent.records] == [
        ("running", None),
        ("failed", "the actor died"),
    ]
    assert [(record.status, record.reason) for record in ledger.records()] == [("failed", "the actor died")]
    assert queue.budget.trials == 1


def test_a_resumed_trial_that_is_stopped_before_it_reports_keeps_its_metrics(
    ledger: Ledger, tmp_path: Path
) -> None:
    begun = Queue(ledger).begin()
    assert begun is not None
    reached = {"invariance": 0.5, "informativeness": 0.25}
    ledger.note_epoch(begun.number, 1, training={}, metrics=reached)
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    display = Display(4, ledger.space.objectives, ledger.space.reference, console=Console(file=io.StringIO()))
    recorder = Recorder(Search(tmp_path, ledger), queue, Sent(), display)  # type: ignore[arg-type]
    recorder.on_trial_start(0, [], handed_out(queue))
    recorder.close_all()
    (record,) = ledger.records()
    assert (record.status, record.epoch, record.metrics, record.reason) == ("pruned", 1, reached, None)


@pytest.mark.parametrize(("on_oom", "shares"), [("fail", [0.3]), ("retry", [0.3, 0.6, 1.0])])
def test_a_trial_that_a_share_of_a_gpu_is_too_small_for(
    on_oom: str, shares: list[float], tmp_path: Path
) -> None:
    settings = {"resources.gpus_per_trial": 0.3, "resources.on_oom": on_oom}
    ledger = Ledger.create(tmp_path / "ledger.log", load_space(QUICK, settings=settings), {})
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    said = io.StringIO()
    display = Display(4, ledger.space.objectives, ledger.space.reference, console=Console(file=said))
    recorder = Recorder(Search(tmp_path, ledger), queue, Sent(), display)  # type: ignore[arg-type]
    tried = []
    for _ in shares:
        trial = handed_out(queue, gpus=0.3)
        tried.append(trial.config["gpus"])
        recorder.on_trial_start(0, [], trial)
        recorder.on_trial_result(0, [], trial, {"failure": "CUDA out of memory.", "out_of_memory": True})
        recorder.on_trial_complete(0, [], trial)
    assert tried == shares
    (record,) = ledger.records()
    assert (record.status, record.reason) == ("failed", "CUDA out of memory.")
    assert said.getvalue().count("trial 000 restarts with a larger share of a GPU") == len(shares) - 1
    assert queue.budget.trials == 1


def test_an_ended_trial_leaves_no_checkpoint_whole_or_half_written(
    ledger: Ledger, queue: Queue, tmp_path: Path
) -> None:
    search = Search(tmp_path, ledger)
    display = Display(4, ledger.space.objectives, ledger.space.reference, console=Console(file=io.StringIO()))
    recorder = Recorder(search, queue, Sent(), display)  # type: ignore[arg-type]
    trial = handed_out(queue)
    recorder.on_trial_start(0, [], trial)
    of_others = {"001.pt", "1000.pt", ".1000.pt.1f.tmp"}
    search.checkpoints.mkdir()
    for name in {"000.pt", "000.before.pt", ".000.pt.0c.tmp"} | of_others:
        (search.checkpoints / name).touch()
    recorder.on_trial_complete(0, [], trial)
    assert {file.name for file in search.checkpoints.iterdir()} == of_others


def test_a_full_disk_is_told_and_training_goes_on(ledger: Ledger, queue: Queue, tmp_path: Path) -> None:
    said = io.StringIO()
    display = Display(
        4, ledger.space.objectives, ledger.space.reference, console=Console(file=said, width=200)
    )
    recorder = Recorder(Search(tmp_path, ledger), queue, Sent(), display)  # type: ignore[arg-type]
    trial = handed_out(queue)
    recorder.on_trial_start(0, [], trial)
    result = {
        "epoch": 1,
        "training": {"images_per_second": 1.0},
        "unsaved": "000.pt: No space left on device",
    }
    recorder.on_trial_result(0, [], trial, result)
    assert "trial 000 continues without a checkpoint: 000.pt: No space left on device" in said.getvalue()
    assert [record.epoch for record in ledger.records()] == [1]
