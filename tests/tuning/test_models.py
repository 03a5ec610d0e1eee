"""The best encoders of a search, as models that anybody loads."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.trainer import fit
from tests.tuning.store import Store
from tests.tuning.test_mirror import bring_all
from tests.tuning.trained import begin, train
from tuning.models import register
from tuning.tracking import Tracker
from tuning.trainable import keep
from tuning.trials import kept_of

LOAD = """
import sys
import mlflow.pytorch, torch
mlflow.set_tracking_uri(sys.argv[1])
encoder = mlflow.pytorch.load_model("models:/embeds@knee")
torch.manual_seed(0)
with torch.inference_mode():
    torch.save(encoder(torch.rand(3, 3, 64, 64)), sys.argv[2])
"""


def test_what_a_trial_leaves_is_registered_and_loaded_by_another_process(
    store: Store, tiny_config: Config, tiny: FactorDataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "embeds", tracker)
    (only,) = search.front()
    config = tiny_config.model_copy(update={"epochs": 1})
    trained = fit(config, tiny)
    folder = kept_of(search.folder, only.number)
    keep(trained.method, config, tiny, folder)
    assert {path.name for path in folder.iterdir()} == {
        "retrieval.png",
        "reconstruction.png",
        "checkpoint.pt",
    }
    bring_all(search, tracker)
    (run,) = tracker.trial_runs(only.number)
    assert {"retrieval.png", "reconstruction.png", "probes.csv", "config.yaml"} <= {
        file.path for file in store.client.list_artifacts(run.run_id)
    }
    for _ in range(2):
        assert register(search, tracker) == ["knee", "most-invariant", "most-informative"]
    versions = store.client.search_model_versions("name = 'embeds'")
    assert len(versions) == 3
    assert {version.run_id for version in versions} == {run.run_id}
    code = tmp_path / "code.pt"
    loading = [sys.executable, "-c", LOAD, store.uri, str(code)]
    loaded = subprocess.run(loading, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "WARNING" not in loaded.stderr + capfd.readouterr().err
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = trained.method.encoder.eval()(torch.rand(3, 3, 64, 64))
    torch.testing.assert_close(torch.load(code, weights_only=True), expected)


def test_encoders_of_dominated_trials_go(store: Store, tmp_path: Path) -> None:
    search = begin(tmp_path / "s", Tracker(store.uri))
    train(search.ledger, 5, 3)
    search.ledger.end(5, full_budget=True)
    for number in (0, 5):
        folder = kept_of(search.folder, number)
        folder.mkdir(parents=True)
        (folder / "checkpoint.pt").touch()
    (better,) = search.front()
    search.forget_encoders()
    left = [int(path.parent.name) for path in search.folder.glob("trials/*/checkpoint.pt")]
    assert left == [better.number] == [5]
