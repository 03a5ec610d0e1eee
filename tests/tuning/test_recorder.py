"""What MLflow is told of a trial, and what becomes of trials whose workers die."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dcodr.config import PRESETS
from tuning.display import Display
from tuning.ledger import Ledger
from tuning.recorder import WORKER_DEATHS, Recorder, readable
from tuning.space import load_space


def test_a_method_without_augmentations_shows_none() -> None:
    paper = PRESETS["paper"]
    shown = readable(paper, {"temperature": 0.1})
    assert shown["augmentations"] == "crop+high_contrast+high_saturation+gaussian_blur"
    assert (shown["augmentation.crop"], shown["augmentation.affine"]) == (True, False)
    lord = readable(paper.model_copy(update={"method": "lord"}), {"lord.noise": 0.5})
    assert lord == {"epochs": 200, "seed": 0, "lord.noise": 0.5}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    space = load_space(Path(__file__).parents[2] / "search_spaces" / "quick.yaml")
    ledger = Ledger.create(tmp_path / "ledger.log", space, {})
    ledger.ready()
    return ledger


class Mirror:
    """Stands in for MLflow: which runs were opened, and how they ended."""

    def __init__(self) -> None:
        self.opened: list[int] = []
        self.ended: list[str] = []

    def start_trial(self, number: int, *more: object) -> str:
        self.opened.append(number)
        return f"run-{number}"

    def end_trial(self, run_id: str, status: str, tags: dict[str, str]) -> None:
        self.ended.append(f"{run_id} {status}: {tags['reason']}")


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
    mirror = Mirror()
    display = Display(4, ledger.space.objectives, console=Console(file=io.StringIO()))
    recorder = Recorder(ledger, mirror, display, tmp_path)  # type: ignore[arg-type]
    for _ in range(WORKER_DEATHS):
        trial = handed_out(ledger, "the actor died")
        recorder.on_trial_error(0, [], trial)
        assert (trial.config["number"], ledger.left_over(), mirror.opened) == (0, True, [])
    recorder.on_trial_error(0, [], handed_out(ledger, "the actor died"))
    assert not ledger.left_over()
    assert mirror.ended == ["run-0 FAILED: the actor died"]
    assert [(record.status, record.reason) for record in ledger.records()] == [("failed", "the actor died")]
    assert ledger.budget.trials == 1
