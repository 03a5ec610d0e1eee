"""A trial whose last files do not fit on the disk: it counts as complete, and that alone is lacking."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.evaluation.report import Report
from dcodr.training.checkpoint import Epoch
from tests.faults.full_disk import files_end_at
from tests.gpu.conftest import BRIEF
from tests.tuning.assignments import assignment
from tests.tuning.driver.test_recorder import Sent
from tuning.driver import trainable
from tuning.driver.display import Display
from tuning.driver.recorder import Recorder
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


def on_a_full_disk(function: Callable[..., Any]) -> Callable[..., Any]:
    def full(*args: Any) -> Any:
        with files_end_at(0):
            return function(*args)

    return full


@pytest.mark.parametrize(
    ("full", "kept", "lacks"),
    [
        ("keep", set(), r"retrieval.png"),
        ("save_checkpoint", {"retrieval.png", "reconstruction.png"}, r"checkpoint.pt"),
    ],
)
def test_a_disk_that_is_full_at_the_end_of_a_trial_costs_what_it_would_have_kept(
    full: str,
    kept: set[str],
    lacks: str,
    short_config: Config,
    few: FactorDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr(trainable, "tune", SimpleNamespace(report=reports.append))
    monkeypatch.setattr(trainable, "open_dataset", lambda config: few)
    monkeypatch.setattr("dcodr.training.trainer.FAST", BRIEF)
    monkeypatch.setattr(trainable, full, on_a_full_disk(getattr(trainable, full)))
    ledger = Ledger.create(tmp_path / "ledger.log", load_space(QUICK, settings={"epochs": 1}), {})
    ledger.ready(SpaceSampler)
    begun = Queue(ledger).begin()
    assert begun is not None
    folder = tmp_path / "trials" / "000"
    given = assignment(
        begun.number,
        config=short_config.model_dump_json(),
        checkpoint=str(tmp_path / "000.pt"),
        kept=str(folder),
    )
    trainable.train_trial(given)
    epoch, last = reports
    assert "invariance" in epoch["metrics"]
    assert "unsaved" not in epoch
    assert set(last) == {"unsaved"}
    assert {file.name for file in folder.iterdir()} == kept

    said = io.StringIO()
    display = Display(
        1, ledger.space.objectives, ledger.space.reference, console=Console(file=said, width=400)
    )
    recorder = Recorder(Search(tmp_path, ledger), Queue(ledger), Sent(), display)  # type: ignore[arg-type]
    trial: Any = SimpleNamespace(config=given)
    recorder.on_trial_start(0, [], trial)
    for report in reports:
        recorder.on_trial_result(0, [], trial, report)
    recorder.on_trial_complete(0, [], trial)
    (record,) = ledger.records()
    assert (record.status, record.metrics["invariance"]) == ("complete", epoch["metrics"]["invariance"])
    told = "trial 000 is trained and measured, but not all of its pictures and encoder are kept: cannot write"
    assert told in said.getvalue()
    assert lacks in said.getvalue()
    assert "continues without" not in said.getvalue()


@pytest.mark.parametrize(("floor", "below"), [(None, False), (0.25, False), (0.3, True)])
def test_codes_below_the_floor_are_infeasible(floor: float | None, below: bool) -> None:
    metrics = {"invariance": 0.9, "informativeness": 0.25}
    epoch = Epoch(2, {"loss": 1.0}, Report(metrics, {}, None), 9.0)
    told = "informativeness 0.250 is below the floor 0.3" if below else None
    assert trainable.as_report(epoch, floor).infeasible == told


def test_the_floor_counts_from_its_epoch_on(
    short_config: Config, few: FactorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr(trainable, "tune", SimpleNamespace(report=reports.append))
    monkeypatch.setattr(trainable, "open_dataset", lambda config: few)
    monkeypatch.setattr("dcodr.training.trainer.FAST", BRIEF)
    config = short_config.model_copy(update={"method": "dcodr_norec", "epochs": 3, "evaluate_every": 1})
    given = assignment(
        0, config=config.model_dump_json(), checkpoint=str(tmp_path / "000.pt"), floor=1.1, floor_from=2
    )
    trainable.train_trial(given)
    assert [report.get("infeasible") is not None for report in reports] == [False, True]
