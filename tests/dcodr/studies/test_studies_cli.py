"""The command: what it writes, prints and refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcodr.augmentations.names import PAPER_13
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.data.store import write_store
from dcodr.errors import UserError
from dcodr.models.perceptual import backbone_features
from dcodr.studies import autoencoder as study
from dcodr.studies import cli
from dcodr.studies.published import AUTOENCODER, Measures
from tuning.driver.warm_start import read_ranking


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the first layers, and a study that needs no more."""
    monkeypatch.setattr(cli, "LAYERS", (1,))
    monkeypatch.setattr(cli, "N_IMAGES", 3)
    path = tmp_path / "vgg19.pth"
    torch.save(backbone_features("vgg19", 1).state_dict(), path)
    return path


def test_a_study_which_test_images_have_no_part_in(
    tmp_path: Path,
    tiny: FactorDataset,
    tiny_store: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.autoencoder("synthetic", tiny_store, str(weights), epochs=1, seed=0, out=tmp_path / "first")
    written = tmp_path / "first" / "invariance.csv"
    assert sorted(read_ranking(written)) == sorted(PAPER_13)
    with Image.open(tmp_path / "first" / "invariance.png") as picture:
        assert picture.format == "PNG"
    printed = capsys.readouterr().out
    assert all(name in printed for name in PAPER_13)
    assert "has no values for synthetic" in printed
    assert "squared error on validation images" in printed

    monkeypatch.setattr(cli, "AUTOENCODER", {"synthetic": AUTOENCODER["celeba"]})
    blank = tmp_path / "blank.h5"
    untested = np.where((tiny.split == SPLITS.index("test"))[:, None, None, None], 0, tiny.images)
    write_store(blank, tiny.spec, untested, tiny.domain, tiny.attributes, tiny.split, {})
    cli.autoencoder("synthetic", blank, str(weights), epochs=1, seed=0, out=tmp_path / "again")
    assert written.read_bytes() == (tmp_path / "again" / "invariance.csv").read_bytes()
    printed = capsys.readouterr().out
    crop = next(line for line in printed.splitlines() if "crop" in line)
    assert "0.889" in crop
    assert "0.2380" in crop
    assert "Spearman rank correlation of f_norm" in printed
    assert "Spearman rank correlation of f_unnorm" in printed


def test_another_dataset_than_the_store_holds(tmp_path: Path, tiny_store: Path, weights: Path) -> None:
    with pytest.raises(UserError, match=r"received 'cars3d', but .*tiny\.h5 holds synthetic"):
        cli.autoencoder("cars3d", tiny_store, str(weights), epochs=1, seed=0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_there(tmp_path: Path, tiny_store: Path, weights: Path) -> None:
    with pytest.raises(UserError, match=r"--weights: no such file: none\.pth"):
        cli.autoencoder("synthetic", tiny_store, "none.pth", epochs=1, seed=0, out=tmp_path / "out")


def test_weights_of_too_few_layers(
    tmp_path: Path, tiny_store: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "LAYERS", (3,))
    with pytest.raises(UserError, match=r"layers 0 to 1.*set --weights to another file"):
        cli.autoencoder("synthetic", tiny_store, str(weights), epochs=1, seed=0, out=tmp_path / "out")


@pytest.mark.parametrize(("error", "warned"), [(0.0199, False), (0.02, True)])
def test_a_warning_of_outputs_farther_than_the_mean_image(
    error: float,
    warned: bool,
    tmp_path: Path,
    tiny_store: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "PAPER_13", ("crop",))
    monkeypatch.setattr(study, "train_autoencoder", lambda *_, **__: torch.nn.Identity())
    monkeypatch.setattr(study, "squared_errors", lambda *_: (error, 0.02))
    cli.autoencoder("synthetic", tiny_store, str(weights), epochs=1, seed=0, out=tmp_path)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "squared error" in line]
    assert said.startswith("Warning") is warned
    assert ("--epochs" in said) is warned
    assert "mean training image" in said
    assert f"{error:.5f}" in said
    assert "0.02000" in said


def test_rank_correlations() -> None:
    published = AUTOENCODER["cars3d"]
    stretched = {
        name: Measures(values.f_norm**3, -values.f_unnorm) for name, values in sorted(published.items())
    }
    found = cli.rank_correlations(stretched, published)
    assert found == pytest.approx({"f_norm": 1.0, "f_unnorm": -1.0})


def test_a_results_file() -> None:
    text = cli.as_csv({"crop": Measures(0.5, 0.25), "affine": Measures(1.0, 2.0)})
    assert text == "augmentation,f_norm,f_unnorm\ncrop,0.5,0.25\naffine,1.0,2.0\n"
