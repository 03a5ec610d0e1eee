"""What the ledger hands out, records, and keeps when its driver dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcodr.errors import UserError
from tuning.ledger import Ledger
from tuning.space import Space, load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, affine]}
  temperature: {type: float, low: 0.05, high: 0.5}
search: {trials: 8, startup_trials: 2}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    (tmp_path / "s.yaml").write_text(SPACE)
    return load_space(tmp_path / "s.yaml")


@pytest.fixture
def ledger(tmp_path: Path, space: Space) -> Ledger:
    made = Ledger.create(tmp_path / "ledger.log", space, {"fingerprint": "f"})
    made.ready()
    return made


def finish(ledger: Ledger, number: int, invariance: float = 0.5, informativeness: float = 0.5) -> str:
    figures = {"invariance": invariance, "informativeness": informativeness}
    ledger.note(number, epoch=4, figures=figures)
    return ledger.end(number, full_budget=True)


def test_the_first_trial_has_the_papers_settings(ledger: Ledger) -> None:
    number, values = ledger.begin()
    assert number == 0
    assert set(values["augmentations"]) == {"crop", "gaussian_blur", "high_contrast", "high_saturation"}
    assert values["temperature"] == 0.1
    finish(ledger, number)
    ledger.begin()
    assert [record.paper for record in ledger.records()] == [True, False]


def test_figures_are_kept_and_told_to_optuna(ledger: Ledger, tmp_path: Path) -> None:
    number, values = ledger.begin()
    assert finish(ledger, number, 0.25, 0.75) == "complete"
    record = Ledger.open(tmp_path / "ledger.log").records()[0]
    assert record.status == "complete"
    assert record.values == values
    assert record.figures == {"invariance": 0.25, "informativeness": 0.75}
    assert record.epoch == 4
    assert ledger.study.trials[0].values == [0.25, 0.75]


def test_stopped_trials_are_pruned(ledger: Ledger) -> None:
    number, _ = ledger.begin()
    ledger.note(number, epoch=2, figures={"invariance": 0.9, "informativeness": 0.9})
    assert ledger.end(number, full_budget=False) == "pruned"
    assert ledger.study.trials[0].state.name == "PRUNED"


def test_collapsed_trials_are_infeasible_for_optuna_too(ledger: Ledger) -> None:
    number, _ = ledger.begin()
    ledger.note(number, figures={"invariance": 1.0, "informativeness": 0.0})
    assert ledger.end(number, full_budget=True, reason="effective rank 1.0") == "infeasible"
    second, _ = ledger.begin()
    finish(ledger, second, 0.1, 0.1)
    assert [trial.number for trial in ledger.study.best_trials] == [second]
    assert ledger.records()[0].reason == "effective rank 1.0"


def test_trials_without_figures_fail_with_their_reason(ledger: Ledger) -> None:
    number, _ = ledger.begin()
    assert ledger.end(number, full_budget=False, reason="loss is nan") == "failed"
    assert ledger.study.trials[0].state.name == "FAIL"
    assert ledger.records()[0].reason == "loss is nan"


def test_opening_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.begin()
    before = (tmp_path / "ledger.log").read_bytes()
    assert Ledger.open(tmp_path / "ledger.log").records()[0].status == "running"
    assert (tmp_path / "ledger.log").read_bytes() == before


def test_cut_off_trials_begin_anew_with_the_same_values(ledger: Ledger, tmp_path: Path) -> None:
    first, paper = ledger.begin()
    second, values = ledger.begin()
    again = Ledger.open(tmp_path / "ledger.log")
    assert again.ready() == [first, second]
    assert [record.status for record in again.records()] == ["interrupted", "interrupted"]
    third, begun = again.begin()
    assert (third, begun) == (2, paper)
    assert again.begin() == (3, values)
    assert [record.paper for record in again.records()] == [True, False, True, False]
    assert again.ready() == [2, 3]


def test_a_reopened_search_does_not_repeat_its_draws(ledger: Ledger, tmp_path: Path) -> None:
    numbers = [ledger.begin()[0] for _ in range(3)]
    for number in numbers:
        finish(ledger, number)
    again = Ledger.open(tmp_path / "ledger.log")
    again.ready()
    temperatures = [record.values["temperature"] for record in ledger.records()]
    assert again.begin()[1]["temperature"] not in temperatures


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such ledger"):
        Ledger.open(tmp_path / "none.log")
    (tmp_path / "text.log").write_text("hello\n")
    with pytest.raises(UserError, match=r"text\.log"):
        Ledger.open(tmp_path / "text.log")
    (tmp_path / "empty.log").write_text("")
    with pytest.raises(UserError, match=r"empty\.log"):
        Ledger.open(tmp_path / "empty.log")


WRITER = """
import sys
from pathlib import Path
from tuning.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
ledger.ready()
while True:
    number, _ = ledger.begin()
    ledger.note(number, figures={"invariance": 0.5, "informativeness": 0.5})
    ledger.end(number, full_budget=True)
    print(number, flush=True)
"""


def test_finished_trials_survive_kill_9(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.log"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(5)]
    time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    again = Ledger.open(path)
    again.ready()
    complete = {record.number for record in again.records() if record.status == "complete"}
    assert set(told) <= complete
    assert not any(record.status == "running" for record in again.records())
