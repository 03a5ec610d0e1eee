"""The best encoders of a search, as models that anybody loads."""

import contextlib
import subprocess
import sys
from pathlib import Path

import mlflow.pytorch
import numpy as np
import pytest
import torch
from PIL import Image

import dcodr
from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.models.encoder import Encoder
from dcodr.models.image_encoder import ImageEncoder
from dcodr.training.encoder_file import write_encoder
from dcodr.training.trainer import Fit, fit
from tests.planted import MakesFolder
from tests.tuning.store import Store
from tests.tuning.tracking.test_mirror import bring_all
from tests.tuning.trained import begin, train
from tuning.driver.trainable import keep
from tuning.ledger.trials import kept_of
from tuning.tracking.encoders import WEIGHTS, load_model, register, save
from tuning.tracking.tracker import Tracker

LOAD = """
import sys
import mlflow, numpy
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/embeds@knee")
assert model.predict(model.input_example).shape == (2, 16)
assert not mlflow.pytorch.load_model("models:/embeds@knee").eval().training
assert model.metadata.signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2])))
"""


def kept_encoder(config: Config, data: FactorDataset, folder: Path) -> Fit:
    """Train an encoder for an epoch and keep what a trial keeps."""
    config = config.model_copy(update={"epochs": 1})
    trained = fit(config, data)
    keep(trained, config, data, folder)
    return trained


def test_the_model_answers_eval_and_prepares_images_of_any_size(
    tiny_config: Config, tiny: FactorDataset, tmp_path: Path
) -> None:
    encoder = kept_encoder(tiny_config, tiny, tmp_path).method.encoder.eval()
    save(tmp_path / "checkpoint.pt", tmp_path / "model")
    model = mlflow.pytorch.load_model(str(tmp_path / "model"))
    assert not model.training
    whole = ImageEncoder(encoder, 64).eval()
    for mode in (model.eval, model.train):
        for shape in ((1, 64, 64, 3), (3, 48, 80, 3)):
            images = torch.randint(0, 256, shape, dtype=torch.uint8)
            with torch.inference_mode():
                torch.testing.assert_close(mode()(images), whole(images), atol=1e-5, rtol=0)


@pytest.mark.long
def test_what_a_trial_leaves_is_registered_and_loaded_by_another_process(
    store: Store,
    tiny_config: Config,
    tiny: FactorDataset,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracker = Tracker(store.uri)
    search = begin(tmp_path / "runs" / "embeds", tracker)
    (only,) = search.front()
    folder = kept_of(search.folder, only.number)
    trained = kept_encoder(tiny_config, tiny, folder)
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
        assert register(search, tracker) == []
    versions = store.client.search_model_versions("name = 'embeds'")
    assert len(versions) == 3
    assert {version.run_id for version in versions} == {run.run_id}
    images, codes = tmp_path / "images.npy", tmp_path / "codes.npy"
    photographs = np.random.default_rng(0).integers(0, 256, (3, 48, 80, 3), dtype=np.uint8)
    np.save(images, photographs)
    loading = [sys.executable, "-c", LOAD, store.uri, str(images), str(codes)]
    loaded = subprocess.run(loading, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "WARNING" not in loaded.stderr + capfd.readouterr().err
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = trained.method.encoder.eval()(torch.rand(3, 3, 64, 64))
    # The model prepares images as `embed` does.
    squares = [
        np.asarray(Image.fromarray(one).resize((64, 64), Image.Resampling.LANCZOS, box=(16, 0, 64, 48)))
        for one in photographs
    ]
    whole = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        embedded = trained.method.encoder(whole).numpy()
    np.testing.assert_allclose(np.load(codes), embedded, atol=1e-5)
    for version in versions:
        assert "python -m dcodr export models:/embeds@" in str(version.description)
        assert "| invariance |" in str(version.description)
        assert "runs code from the model's files: do so only if you trust" in str(version.description)
    assert "uint8 images" in str(store.client.get_registered_model("embeds").description)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    encoder = dcodr.load("models:/embeds@knee")
    torch.manual_seed(0)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(torch.rand(3, 3, 64, 64)), expected)
    with pytest.raises(UserError, match="no encoder of this alias; it has: @knee, @most-invariant"):
        load_model("models:/embeds@best")
    with pytest.raises(UserError, match="should be models:/SEARCH@ALIAS"):
        load_model("models:/embeds/1")

    # Whoever can write to the artifact store replaces the graph by a pickle.
    model = Path(str(store.client.get_run(run.run_id).info.artifact_uri).removeprefix("file://"), "encoder")
    graph, made = model / "data" / "model.pth", tmp_path / "made by MLflow"
    torch.save(MakesFolder(made), graph)
    load_model("models:/embeds@knee", storage="runs", tracking_uri=store.uri)
    assert not made.exists()
    with contextlib.suppress(Exception):  # after the planted code has run, MLflow stumbles over the rest
        mlflow.pytorch.load_model(str(model))
    assert made.exists(), "MLflow runs no code there any more: docs/safety.md says that it does"

    weights, made = model / WEIGHTS, tmp_path / "made"
    of = tiny_config.encoder
    write_encoder(weights, Encoder(of.arch, of.code_dim, of.head), tiny_config)
    with pytest.raises(UserError, match="was recorded when it was written"):
        load_model("models:/embeds@knee")
    torch.save(MakesFolder(made), weights)
    with pytest.raises(UserError, match="was recorded when it was written"):
        load_model("models:/embeds@knee")
    weights.unlink()
    with pytest.raises(UserError, match="cannot read encoder"):
        load_model("models:/embeds@knee")
    assert not made.exists()


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
