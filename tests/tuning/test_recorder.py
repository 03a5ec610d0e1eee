"""What becomes of trials whose workers die."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tuning.display import Display
from tuning.ledger import Ledger
from tuning.recorder import WORKER_DEATHS, Recorder
from tuning.space import load_space
from tuning.trials import TrialRecord


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    space = load_space(Path(__file__).parents[2] / "search_spaces" / "quick.yaml")
    ledger = Ledger.create(tmp_path / "ledger.log", space, {})
    ledger.ready()
    return ledger


class Sent:
    """Stands in for the outbox: what was to be written of which trial."""

    def __init__(self) -> None:
        self.records: list[TrialRecord] = []

    def put(self, record: TrialRecord) -> None:
        self.records.append(record)


def handed_out(ledger: Ledger, error: str) -> Any:
    """A trial as Tune knows it, whose worker has died."""
    begun = ledger.begin()
    assert begun is not None
    config = ledger.space.config(begun.values)
    assignment = {"number": begun.number, "config": config.model_dump_json()}
    return SimpleNamespace(config=assignment, get_error=lambda: RuntimeError(error))


def test_a_trial_whose_worker_dies_before_it_trains_is_handed_out_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    sent = Sent()
    display = Display(4, ledger.space.objectives, console=Console(file=io.StringIO()))
    recorder = Recorder(ledger, sent, display, tmp_path)  # type: ignore[arg-type]
    for _ in range(WORKER_DEATHS):
        trial = handed_out(ledger, "the actor died")
        recorder.on_trial_error(0, [], trial)
        assert (trial.config["number"], ledger.left_over(), sent.records) == (0, True, [])
    recorder.on_trial_error(0, [], handed_out(ledger, "the actor died"))
    assert not ledger.left_over()
    assert [(record.status, record.reason) for record in sent.records] == [
        ("running", None),
        ("failed", "the actor died"),
    ]
    assert [(record.status, record.reason) for record in ledger.records()] == [("failed", "the actor died")]
    assert ledger.budget.trials == 1
