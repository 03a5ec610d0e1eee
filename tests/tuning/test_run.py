"""A whole search, for real: Ray, Optuna, MLflow, export, retraining and resume.

All searches share one Ray, as it takes seconds to start; tests/docs has searches that start their own.
"""

import csv
import io
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console

from dcodr.config import dump_config, read_config
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from dcodr.training.trained import evaluate, load
from tests.docs.commands import run_python
from tests.faults.searching import runs_of, statuses
from tests.streams import Broken
from tests.tuning.store import place
from tuning.ledger.trials import FirstTrial, kept_of
from tuning.report.commands import caveat
from tuning.results.gain import gains
from tuning.results.search import Search
from tuning.run import run_search
from tuning.space import Space, load_space

pytestmark = pytest.mark.search

ROOT = Path(__file__).parents[2]
QUICK = ROOT / "search_spaces" / "quick.yaml"


class Finished:
    """A finished search of three trials, and what it printed."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.storage = folder / "runs"
        place(self.storage)
        self.store = store
        self.output = io.StringIO()
        self.search = self.run(trials=3)

    def run(self, trials: int, **options: object) -> Search:
        space = load_space(QUICK, data=str(self.store), search={"trials": trials})
        console = Console(file=self.output, width=100)
        return run_search(space, storage=self.storage, console=console, **options)  # type: ignore[arg-type]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.storage / 'mlflow.db'}")


@pytest.fixture(scope="module")
def finished(one_ray: None, tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> Finished:
    return Finished(tmp_path_factory.mktemp("search"), tiny_store)


def test_all_trials_are_complete_and_the_first_has_the_papers_settings(finished: Finished) -> None:
    trials = finished.search.trials()
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert {trial.status for trial in trials} <= {"complete", "infeasible"}
    assert [trial.paper for trial in trials] == [True, False, False]
    assert all(trial.epoch == 2 for trial in trials)
    assert finished.search.front()


def test_the_end_of_a_search_says_what_came_of_it(finished: Finished) -> None:
    text = finished.output.getvalue()
    for number in range(3):
        assert f"trial {number:03d}" in text
    assert "paper" in text
    assert "mlflow ui --backend-store-uri" in text
    assert str(finished.search.folder / "configs") in text
    assert "Gain over the paper's settings" in text


def test_mlflow_has_one_parent_and_a_finished_run_a_trial(finished: Finished) -> None:
    assert statuses(finished.client, finished.search) == ("FINISHED", ["FINISHED"] * 3)


def test_the_best_trade_off_and_the_paper_alone_are_measured_on_the_test_images(finished: Finished) -> None:
    search = finished.search
    tested = {trial.number: trial.test for trial in search.trials() if trial.test}
    assert set(tested) == {search.best_tradeoff().number, 0}
    encoder, data = load(kept_of(search.folder, 0)), open_store(finished.store)
    expected = evaluate(encoder, data, "test", probe="paper", seed=search.space.base.seed, device="cpu")
    assert tested[0] == pytest.approx(dict(expected.metrics))
    runs = runs_of(finished.client, search)
    in_mlflow = {
        number: {name: value for name, value in run.data.metrics.items() if name.startswith("test/")}
        for number, run in runs.items()
    }
    for number in runs:
        known = {f"test/{name}": value for name, value in tested.get(number, {}).items()}
        assert in_mlflow[number] == pytest.approx(known, rel=1e-3)
    assert "On the test images, under the paper's probe:" in finished.output.getvalue()


def test_trials_are_found_in_mlflow_by_their_metrics_and_parameters(finished: Finished) -> None:
    best = finished.search.results().best("invariance")
    experiment = finished.client.get_experiment_by_name("dcodr")
    assert experiment is not None
    query = f"metrics.invariance >= {best.metrics['invariance'] - 1e-4} and tags.trial = '{best.number}'"
    (run,) = finished.client.search_runs([experiment.experiment_id], query)
    assert run.info.run_id == runs_of(finished.client, finished.search)[best.number].info.run_id
    assert run.data.params["augmentations"] == "+".join(best.values["augmentations"])
    for name in ("crop", "gaussian_blur", "affine"):
        assert run.data.params[f"augmentation.{name}"] == str(name in best.values["augmentations"])
    bare = ("invariance", "informativeness")
    metrics = {name: run.data.metrics[name if name in bare else f"probe/{name}"] for name in best.metrics}
    assert metrics == pytest.approx(best.metrics, rel=1e-3)
    assert {"train/loss", "train/images_per_second", "probe/chance/domain"} <= set(run.data.metrics)
    history = finished.client.get_metric_history(run.info.run_id, "train/loss")
    assert [metric.step for metric in history] == [1, 2]
    artifacts = {file.path for file in finished.client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "probes.csv", "retrieval.png", "reconstruction.png"} <= artifacts


def test_the_parent_keeps_space_environment_and_front(finished: Finished, tmp_path: Path) -> None:
    run_id = finished.search.ledger.facts()["run_id"]
    fetched = {
        name: Path(finished.client.download_artifacts(run_id, name, str(tmp_path))).read_text()
        for name in ("space.yaml", "environment.json", "front.csv")
    }
    assert fetched["space.yaml"] == QUICK.read_text()
    assert "torch" in json.loads(fetched["environment.json"])
    rows = list(csv.DictReader(io.StringIO(fetched["front.csv"])))
    front = [row for row in rows if row["on_front"] == "True"]
    assert [int(row["trial"]) for row in front] == [trial.number for trial in finished.search.front()]


def test_an_exported_config_retrains_to_exactly_the_same_metrics(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path, *_) = sorted((finished.search.folder / "configs").iterdir())
    _, provenance = read_config(path)
    run_python(f"python -m dcodr train --config {path} --out trained", tmp_path, monkeypatch)
    assert "are reproduced exactly" in capsys.readouterr().out
    again = json.loads((tmp_path / "trained" / "validation.json").read_text())
    assert again["metrics"] == provenance["validation"]


def test_a_finished_search_resumes_to_nothing_and_extends_by_more_trials(finished: Finished) -> None:
    before = finished.search.trials()
    assert finished.run(trials=3, name="quick", resume=True).trials() == before
    assert finished.output.getvalue().count("Measuring") == 1
    extended = finished.run(trials=4, name="quick", resume=True)
    assert extended.trials()[:3] == before
    assert len(extended.trials()) == 4
    assert statuses(finished.client, extended) == ("FINISHED", ["FINISHED"] * 4)


def test_a_search_resumes_without_the_files_of_its_first_trials(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(space: Space) -> list[FirstTrial]:
        raise UserError("best/quick-000.yaml: cannot be read")

    monkeypatch.setattr("tuning.run.first_trials", gone)
    before = finished.search.trials()
    assert finished.run(trials=len(before), name="quick", resume=True).trials() == before


def test_mlflow_learns_of_an_end_that_only_the_ledger_knew(finished: Finished) -> None:
    trials = finished.search.trials()
    run_id = runs_of(finished.client, finished.search)[1].info.run_id
    finished.client.update_run(run_id, status="RUNNING")
    (finished.search.checkpoints / "001.before.pt").touch()  # whose end its process did not survive
    finished.run(trials=len(trials), name="quick", resume=True)
    run = finished.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert not list(finished.search.checkpoints.iterdir())
    assert run.data.tags["status"] == trials[1].status


def test_a_changed_search_is_not_resumed(finished: Finished) -> None:
    with pytest.raises(UserError, match="a search of that name exists"):
        finished.run(trials=3, name="quick")
    space = load_space(QUICK, data=str(finished.store), settings={"epochs": 3})
    with pytest.raises(UserError, match=r"differs from that of the search:\n  base\.epochs: 2 there, 3 here"):
        run_search(space, storage=finished.storage, resume=True, console=Console(file=io.StringIO()))
    with pytest.raises(UserError, match="no search of the space"):
        run_search(
            space, storage=finished.storage / "other", resume=True, console=Console(file=io.StringIO())
        )


def test_a_search_on_other_data_is_not_resumed(finished: Finished) -> None:
    ledger = finished.search.ledger
    fingerprint = ledger.facts()["fingerprint"]
    ledger.remember("fingerprint", "that of other images")
    with pytest.raises(UserError, match="is not the dataset that 'quick' began with"):
        finished.run(trials=6, name="quick", resume=True)
    ledger.remember("fingerprint", fingerprint)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_change_of_the_space_is_allowed_if_asked_for(
    allowed: bool, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(ledger: object, space: object, *, allow_change: bool) -> None:
        assert allow_change is allowed
        raise UserError("far enough")

    monkeypatch.setattr("tuning.run.require_same", refuse)
    with pytest.raises(UserError, match="far enough"):
        finished.run(trials=6, name="quick", resume=True, allow_space_change=allowed)


def test_a_search_whose_metrics_were_measured_otherwise_is_not_resumed(finished: Finished) -> None:
    ledger = finished.search.ledger
    measured = ledger.facts()["protocol"]
    for earlier in (None, measured - 1):
        ledger.remember("protocol", earlier)
        with pytest.raises(UserError, match=r"'quick' began under an earlier version.*another name"):
            finished.run(trials=6, name="quick", resume=True)
    ledger.remember("protocol", measured)


HOSTILE = """
base: {config: %s}
params:
  augmentations: {type: subset, members: [crop, high_contrast, high_saturation, gaussian_blur], strengths:
    {crop: {min_scale: {type: float, low: 0.3, high: 0.9}}}}
  encoder_lr: {type: categorical, choices: [1.0e-4, 1.0e8, 1.0e18]}
search:
  trials: 6
  sampler: random
  seed: 0
  scheduler: {grace_period: 1, reduction_factor: 2}
  confirm: {top: 1, seeds: 2}
"""


@pytest.fixture(scope="module")
def hostile(one_ray: None, tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> Search:
    """A search whose learning rates make codes collapse and losses diverge, with early stopping.

    It has nobody to show anything to: its stream raises whatever is written.
    """
    folder = tmp_path_factory.mktemp("hostile")
    place(folder / "runs")
    base = load_space(QUICK, data=str(tiny_store), settings={"epochs": 3}).base
    (folder / "base.yaml").write_text(dump_config(base.model_copy(update={"threads": 1, "device": "auto"})))
    (folder / "hostile.yaml").write_text(HOSTILE % (folder / "base.yaml"))
    for resume in (False, True):
        console = Console(file=Broken(RuntimeError("the terminal is gone")), force_terminal=False)
        space = load_space(folder / "hostile.yaml")
        search = run_search(space, storage=folder / "runs", resume=resume, console=console)
    return search


def test_bad_configs_end_early_as_infeasible_and_stay_off_the_front(hostile: Search) -> None:
    trials = [trial for trial in hostile.trials() if trial.status != "reused"]
    assert len(trials) == 6
    by_rate = {rate: [t for t in trials if t.values["encoder_lr"] == rate] for rate in (1e-4, 1e8, 1e18)}
    assert all(by_rate.values())
    for rate, why in ((1e8, "constant"), (1e18, "not finite")):
        for trial in by_rate[rate]:
            assert trial.status == "infeasible"
            assert why in (trial.reason or "")
            assert trial.epoch < 3
    assert {trial.status for trial in by_rate[1e-4]} <= {"complete", "pruned"}
    assert all(trial.epoch < 3 for trial in trials if trial.status == "pruned")
    assert hostile.front()
    assert all(trial in by_rate[1e-4] for trial in hostile.front())


def test_nothing_is_left_running_after_bad_configs(hostile: Search) -> None:
    states = {trial.state.name for trial in hostile.ledger.study.trials}
    assert states <= {"COMPLETE", "PRUNED", "FAIL"}
    client = MlflowClient(f"sqlite:///{hostile.folder.parent / 'mlflow.db'}")
    parent, children = statuses(client, hostile)
    assert parent == "FINISHED"
    assert len(children) == len(hostile.results().ended)
    assert set(children) == {"FINISHED"}


def test_what_early_stopping_lets_finish_keeps_its_pictures(hostile: Search) -> None:
    complete = [trial.number for trial in hostile.trials() if trial.status == "complete"]
    assert complete
    for number in complete:
        assert (kept_of(hostile.folder, number) / "retrieval.png").is_file()
    for trial in hostile.front():
        assert (kept_of(hostile.folder, trial.number) / CHECKPOINT).is_file()


def test_a_strength_is_trained_where_its_augmentation_is_chosen(hostile: Search) -> None:
    for trial in hostile.trials():
        assert ("strengths.crop.min_scale" in trial.values) == ("crop" in trial.values["augmentations"])
        config = hostile.space.config(trial.values)
        assert config.strengths.get("crop", {}).get("min_scale") == trial.values.get(
            "strengths.crop.min_scale"
        )


def test_the_paper_is_complete_whatever_else_is_stopped(hostile: Search) -> None:
    paper, *_ = hostile.trials()
    assert (paper.paper, paper.status, paper.epoch) == (True, "complete", 3)
    assert gains(hostile.results())


def test_the_best_and_the_paper_are_trained_again_with_new_seeds(hostile: Search) -> None:
    (best, *_) = hostile.results().candidates(1)
    confirmed = hostile.results().confirmed
    assert {one.trial.number for one in confirmed} == {best.number, 0}
    for one in confirmed:
        assert one.seeds == 2
        runs = [run for run, _ in hostile.results().ended if run.confirms == one.trial.number]
        assert [run.seed for run in runs] == [1, 2]
        means = [sum(run.metrics[name] for run in runs) / 2 for name in ("invariance", "informativeness")]
        assert list(hostile.results().objectives(one.trial).values()) == pytest.approx(means)


def test_confirmations_of_the_best_trade_off_and_the_paper_are_tested(hostile: Search) -> None:
    chosen = {hostile.best_tradeoff().number, 0}
    tested = [run for run in hostile.ledger.records() if run.test]
    assert [run.confirms for run in tested] == [
        run.confirms for run, _ in hostile.results().ended if run.confirms in chosen
    ]
    assert all(run.test["informativeness"] != run.metrics["informativeness"] for run in tested)
    front = {trial.number for trial in hostile.front()}
    for run, _ in hostile.results().ended:
        if run.confirms is not None:
            assert (kept_of(hostile.folder, run.number) / CHECKPOINT).is_file() == (run.confirms in front)


COLLECTING = """
import gc, os, signal, threading, ray
from tuning.cluster.session import ray_session

signal.signal(signal.SIGTERM, lambda number, frame: print("stopped"))

def collect():
    while references:
        cycle = [references.pop()]
        cycle.append(cycle)

with ray_session(None):
    print(ray.get(ray.remote(lambda: os.environ["MALLOC_ARENA_MAX"]).remote()))
    os.kill(os.getpid(), signal.SIGTERM)
    one = ray.put(b"").binary()
    references = [ray.ObjectRef(one) for _ in range(1_000_000)]
    gc.set_threshold(100)
    threading.Thread(target=collect, daemon=True).start()
print("alive")
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.long
def test_workers_share_memory_and_signals_and_a_thread_that_collects_garbage_outlive_ray() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTING], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "1\nstopped\nalive\nstopped\n"), done.stderr


def test_a_space_made_in_python_is_kept_as_a_file_of_it(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuning.run.ray_session", lambda *_: nullcontext())
    monkeypatch.setattr("tuning.driver.stages.LedgerSearcher", interrupt)
    read = load_space(QUICK, data=str(tiny_store), settings={"generator_lr": 2e-3}, search={"trials": 3})
    space = read.model_copy(update={"text": "", "name": "made"})
    with pytest.raises(KeyboardInterrupt):
        run_search(space, storage=tmp_path / "runs", console=Console(file=io.StringIO()))
    kept = load_space(tmp_path / "runs" / "made" / "space.yaml")
    assert kept.model_copy(update={"text": "", "name": "made"}) == space
    assert caveat(Search.open("made", tmp_path / "runs").results()) is None
