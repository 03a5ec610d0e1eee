"""A trial on a share of a GPU: what its worker does, and what becomes of it if the share is too small."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from tests.gpu.conftest import BRIEF
from tests.gpu.fake import FakeGPU
from tests.tuning.assignments import assignment
from tests.tuning.driver.test_recorder import Sent
from tuning.driver.display import Display
from tuning.driver.measure import measure_encoder
from tuning.driver.recorder import Recorder
from tuning.driver.trainable import train_trial
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

QUICK = Path(__file__).parents[2] / "search_spaces" / "quick.yaml"


@pytest.fixture(autouse=True)
def told(few: FactorDataset, monkeypatch: pytest.MonkeyPatch, brief: object) -> list[dict[str, Any]]:
    """Collect the reports of trials."""
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr("tuning.driver.trainable.tune", SimpleNamespace(report=reports.append))
    monkeypatch.setattr("tuning.driver.trainable.open_dataset", lambda config: few)
    monkeypatch.setattr("tuning.driver.measure.open_dataset", lambda config: few)
    monkeypatch.setattr("dcodr.training.trained.PAPER", BRIEF)
    return reports


def assigned(config: Config, folder: Path, **changes: Any) -> dict[str, Any]:
    files = {"checkpoint": str(folder / "000.pt"), "kept": str(folder / "kept")}
    return assignment(**{"config": config.model_dump_json(), "gpus": 0.5, **files, **changes})


def test_a_trial_trains_within_its_share_and_keeps_pictures_and_encoder(
    gpu: FakeGPU, cuda_config: Config, tmp_path: Path, told: list[dict[str, Any]]
) -> None:
    train_trial(assigned(cuda_config, tmp_path))
    assert gpu.shares == [0.5]
    (report,) = told
    assert "invariance" in report["metrics"]
    assert "streamed" not in report
    kept = {file.name for file in (tmp_path / "kept").iterdir()}
    assert kept == {"checkpoint.pt", "retrieval.png", "reconstruction.png"}


def test_a_kept_encoder_is_measured_on_the_test_images_within_its_share(
    gpu: FakeGPU, cuda_config: Config, tmp_path: Path
) -> None:
    train_trial(assigned(cuda_config, tmp_path, gpus=1.0))
    metrics, intervals = measure_encoder(str(tmp_path / "kept" / "checkpoint.pt"), gpus=0.5)
    assert gpu.shares == [1.0, 0.5]
    low, high = intervals["invariance"]
    assert low <= metrics["invariance"] <= high


def test_out_of_memory_is_put_back_on_a_larger_share_and_goes_on(
    gpu: FakeGPU, cuda_config: Config, tmp_path: Path, told: list[dict[str, Any]]
) -> None:
    settings = {"resources.gpus_per_trial": 0.3, "resources.on_oom": "retry"}
    ledger = Ledger.create(tmp_path / "ledger.log", load_space(QUICK, settings=settings), {})
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    said = io.StringIO()
    console = Console(file=said, width=300)
    display = Display(4, ledger.space.objectives, ledger.space.reference, console=console)
    recorder = Recorder(Search(tmp_path, ledger), queue, Sent(), display)  # type: ignore[arg-type]
    gpu.others = gpu.total
    for share, convolutions in ((0.3, 20), (0.6, None)):
        gpu.memory_ends_after = convolutions
        begun = queue.begin()
        assert begun is not None
        assert (begun.gpus or 0.3) == share
        config = cuda_config.model_copy(update={"epochs": begun.config.epochs})
        trial: Any = SimpleNamespace(config=assigned(config, tmp_path, gpus=share, number=begun.number))
        told.clear()
        train_trial(trial.config)
        recorder.on_trial_start(0, [], trial)
        for report in told:
            recorder.on_trial_result(0, [], trial, report)
        recorder.on_trial_complete(0, [], trial)
    assert gpu.shares == [0.3, 0.6]
    assert [record.status for record in ledger.records()] == ["complete"]
    lines = said.getvalue()
    oom = "CUDA out of memory. Tried to allocate 2.00 GiB."
    assert f"trial 000 restarts with a larger share of a GPU: {oom}" in lines
    assert lines.count("trial 000 reads its images batch by batch: they take 0.00 GiB") == 1
