"""The text of a dry run, which leaves nothing behind."""

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dcodr.config import Config
from dcodr.errors import UserError
from tests.docs.commands import run_python
from tests.tuning.preflight.parts import brief
from tuning.driver.warm_start import first_trials
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.preflight import plan, rehearsal
from tuning.preflight.plan import duration, rehearsed, show_plan
from tuning.preflight.rehearsal import Timing
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

ROOT = Path(__file__).parents[3]
QUICK = ROOT / "search_spaces" / "quick.yaml"

Plan = Callable[..., dict[str, str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_store: Path) -> Iterator[Plan]:
    """The plan of a quick search by its lines, on a machine of four CPUs, with a timing made up."""
    asked: list[int] = []

    def rehearse(config: Config, copies: int, gpus: float) -> Timing:
        asked.append(copies)
        return Timing(step=0.5, steps=10, timed=20, evaluation=3.0, parameters=900_000, memory=300 * 2**20)

    def show(address: str | None = None, tracking_uri: str | None = None, **search: Any) -> dict[str, str]:
        space = load_space(QUICK, data=str(tiny_store), search=search)
        console = Console(file=io.StringIO(), width=400)
        show_plan(
            space, address=address, storage=tmp_path / "runs", tracking_uri=tracking_uri, console=console
        )
        text = console.file.getvalue()  # type: ignore[attr-defined]
        found = dict(re.findall(r"^([A-Z][\w ]{1,12}?)  +(.*?) *$", text, re.MULTILINE))
        return found | {"text": text, "copies": str(asked[-1]) if asked else ""}

    monkeypatch.setattr(plan, "rehearse", rehearse)
    monkeypatch.setattr(plan, "cpus_here", lambda: 4)
    monkeypatch.setattr(plan, "check_cluster", lambda *_: None)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    yield show
    assert not list(tmp_path.iterdir())


def test_a_plan_says_what_is_searched(shown: Plan, tiny_store: Path, tmp_path: Path) -> None:
    lines = shown()
    assert lines["Dataset"] == "synthetic, 160 images (128 train, 16 validation, 16 test), 4 domains"
    assert lines["Store"] == str(tiny_store)
    assert lines["Training"].startswith("dcodr, 2 epochs, evaluated every 1")
    assert lines["Encoder"] == "small: 0.9 million parameters, 500 ms a step"
    assert lines["Space"] == "56 augmentation sets x 3 continuous settings"  # 6 + 15 + 20 + 15
    assert lines["Objectives"] == "maximize invariance, maximize informativeness"
    assert lines["Search"] == "4 trials, sampler gp, seed 0, none stopped early"
    assert lines["Storage"].startswith(str(tmp_path / "runs"))
    assert lines["Tracking"].startswith(f"sqlite:///{tmp_path}/runs/mlflow.db, not there yet")


def test_a_plan_says_what_it_takes(shown: Plan) -> None:
    lines = shown(trials=6)
    assert lines["At a time"] == "4 trials of 1 CPU; this machine has 4 CPUs and 0 GPUs"
    assert lines["copies"] == "4"
    assert lines["Step"].startswith("500 ms for 4 domains x 8 images, 10 steps an epoch")
    assert lines["Evaluation"] == "3.0 s"
    assert lines["Memory"].startswith("300 MiB a trial")
    assert lines["Memory"].endswith("at most 1.2 GiB")
    # A trial is 2 epochs of 5 s and 2 evaluations of 3 s; six of them take two rounds.
    assert lines["Time"] == "about 32 s: 6 trials of 16 s, 4 at a time"
    assert "Confirmation" not in lines


def test_early_stopping_gives_a_range(shown: Plan) -> None:
    lines = shown(trials=4, scheduler={"grace_period": 1, "reduction_factor": 2})
    # All at a time, and the paper's settings train to their end, 16 s.
    assert lines["Time"].startswith("about 16 s, from 16 s if every other trial is stopped")
    lines = shown(trials=8, scheduler={"grace_period": 1, "reduction_factor": 2})
    # Stopped after an epoch a trial takes 8 s, else 16 s; one in two goes on, and one always: two rounds.
    assert lines["Time"] == (
        "about 25 s, from 18 s if every other trial is stopped at its first rung to 32 s if none is: "
        "8 trials of 16 s, 4 at a time"
    )


def test_progress_is_forecast_for_searches_like_the_recorded_ones(shown: Plan) -> None:
    stopped = {"scheduler": {"grace_period": 1, "reduction_factor": 2}, "startup_trials": 2}

    def whole(**search: Any) -> str:
        return shown(trials=80, **stopped, **search)["Progress"].partition(".")[0]

    # 40 trials train one of two epochs: 60 whole trainings, 120 epochs.
    assert whole() == "as many epochs as 60 whole trainings"
    assert whole(epoch_budget=50) == "as many epochs as 25 whole trainings"
    # Epochs take 8 s, four trials at a time: 240 s without a limit, but for the paper's settings.
    assert whole(time_budget=120) == "as many epochs as 30 whole trainings"
    for other in ({"aim": "baseline"}, {"sampler": "random"}, {"scheduler": None}):
        assert "Progress" not in shown(trials=80, **{**stopped, **other})


def test_confirmations_come_on_top(shown: Plan) -> None:
    lines = shown(trials=24, confirm={"top": 2, "seeds": 3})
    # Two candidates and the paper's settings with three seeds: nine trainings, three rounds.
    # Each is evaluated once, at its end, not four times: 13 s instead of 16 s.
    assert lines["Confirmation"].startswith("about 39 s more for 9 trainings")


def test_limits_are_named(shown: Plan) -> None:
    lines = shown(trials=40, epoch_budget=20, stall={"trials": 7})
    assert lines["Ends early"] == "at 20 epochs in all, or 7 trials without progress"
    assert lines["Time"].startswith("about 48 s")  # 10 whole trials, three rounds


def test_a_cluster_is_asked(shown: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "check_cluster", lambda space, address, *_: {"auto": 2}[address])
    lines = shown(address="auto")
    assert lines["At a time"] == "2 trials of 1 CPU; the cluster has room for 2"
    assert lines["copies"] == "1"
    assert lines["Time"].startswith("about 32 s: 4 trials of 16 s, 2 at a time")


def test_the_first_configurations_are_shown(shown: Plan) -> None:
    text = shown(trials=24, startup_trials=2)["text"]
    assert re.search(r"^000 +crop \+ high contrast \+ saturation \+ blur +0\.1 ", text, re.MULTILINE)
    assert re.findall(r"^(paper|drawn)", text, re.MULTILINE) == ["paper", *["drawn"] * 4]
    assert "From trial 002 on, the sampler uses earlier results." in text


def test_an_unreachable_tracking_server(shown: Plan) -> None:
    with pytest.raises(UserError, match="cannot use the MLflow tracking URI 'http://127"):
        shown(tracking_uri="http://127.0.0.1:9")


def test_rehearsed_trials_are_those_of_the_search(tiny_store: Path, tmp_path: Path) -> None:
    """As long as the sampler draws at random: results must not matter."""
    space = load_space(QUICK, data=str(tiny_store), search={"trials": 9, "startup_trials": 5, "seed": 3})
    real = Ledger.create(tmp_path / "ledger.log", space, {}, first_trials(space))
    real.ready(SpaceSampler)
    queue = Queue(real)
    for _ in range(5):
        begun = queue.begin()
        assert begun is not None
        metrics = {"invariance": 0.1 * begun.number, "informativeness": 0.5}
        real.note_epoch(begun.number, 2, training={}, metrics=metrics, intervals={})
        real.end(begun.number, full_budget=True)
    expected = [(trial.number, trial.values, trial.origin) for trial in real.records()]
    found = rehearsed(space, first_trials(space))
    assert [(trial.number, trial.values, trial.origin) for trial in found] == expected


def test_a_space_smaller_than_its_trials(tiny_store: Path, tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    text = QUICK.read_text()
    params = "params:\n  temperature: {type: float, low: 0.1, high: 0.3, step: 0.1}\n"
    file.write_text(text[: text.index("params:")] + params + text[text.index("search:") :])
    space: Space = load_space(file, data=str(tiny_store))
    found = [trial.values["temperature"] for trial in rehearsed(space, first_trials(space))]
    assert sorted(found) == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0334, "33 ms"),
        (0.0042, "4.2 ms"),
        (1, "1.0 s"),
        (9.96, "10 s"),
        (59, "59 s"),
        (150, "2.5 min"),
        (5400, "1.5 h"),
        (86400 * 300, "300 days"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_wrong_file_fails_before_anything_is_imported(tmp_path: Path) -> None:
    space = tmp_path / "wrong.yaml"
    space.write_text(QUICK.read_text().replace("temperature:", "temprature:"))
    words = [sys.executable, "-X", "importtime", str(ROOT / "tune.py"), "--space", str(space), "--dry-run"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean temperature?" in done.stderr
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "ray", "mlflow", "optuna"}


@pytest.mark.long
def test_a_real_dry_run(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rehearsal, "measure", brief)
    command = f"python {ROOT / 'tune.py'} --space {QUICK} --data {tiny_store} --dry-run"
    run_python(f"{command} --set resources.max_concurrent=1", tmp_path, monkeypatch)
    printed = capsys.readouterr().out
    step = re.search(r"Step +([\d.]+) (ms|s) for", printed)
    assert step is not None
    assert float(step[1]) > 0
    assert re.search(r"Time +about [\d.]+ (s|min):", printed)
    assert not list(tmp_path.iterdir())
