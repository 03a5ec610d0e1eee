"""Checkpoints: whole, safe, and refused when they are not what they should be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dcodr.config import Config, EncoderConfig, PerceptualConfig
from dcodr.errors import UserError
from dcodr.evaluation.report import Report
from dcodr.methods.build import build_method
from dcodr.models.encoder import Encoder
from dcodr.models.perceptual import DEFAULT_LAYERS, backbone_features
from dcodr.training import checkpoint as module
from dcodr.training.checkpoint import (
    Checkpoint,
    Epoch,
    before,
    latest_checkpoint,
    load_checkpoint,
    restore,
    save_checkpoint,
    trained_encoder,
)


def epoch(number: int) -> Epoch:
    """Return an evaluated epoch, with metrics of many digits."""
    report = Report({"invariance": 1 / number}, {"invariance": (0.1, 2 / 3)}, None)
    return Epoch(number, {"loss": 0.1 + 0.2}, report, 123.4)


@pytest.fixture
def checkpoint(tiny_config: Config) -> Checkpoint:
    method = build_method(tiny_config, 4, 64, 10)
    optimizer = torch.optim.Adam(method.parameters())
    return Checkpoint(tiny_config, "print", epoch(3), method.state_dict(), optimizer.state_dict())


def test_a_checkpoint_reads_back_the_same(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "deep" / "c.pt", checkpoint)
    again = load_checkpoint(tmp_path / "deep" / "c.pt")
    assert (again.config, again.fingerprint, again.last) == (checkpoint.config, "print", checkpoint.last)
    assert all(torch.equal(again.model[name], value) for name, value in checkpoint.model.items())
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["c.pt"]


def test_size_and_fit_of_the_images_go_to_the_encoder(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, replace(checkpoint, image_size=48, fit="pad"))
    encoder = trained_encoder(load_checkpoint(path))
    assert (encoder.image_size, encoder.fit) == (48, "pad")
    content = torch.load(path, weights_only=True)
    torch.save({**content, "fit": "fold"}, path)
    with pytest.raises(UserError, match="the fit of the images is invalid"):
        load_checkpoint(path)
    # Files of earlier versions have neither; their images were cropped.
    torch.save({name: value for name, value in content.items() if name not in ("fit", "image_size")}, path)
    encoder = trained_encoder(load_checkpoint(path))
    assert (encoder.image_size, encoder.fit) == (None, "crop")


def test_the_encoder_of_a_checkpoint_embeds_as_the_trained_one(
    checkpoint: Checkpoint, tiny_config: Config
) -> None:
    method = build_method(tiny_config, 4, 64, 10)
    method.load_state_dict(checkpoint.model)
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(trained_encoder(checkpoint)(images), method.eval().encoder(images))


@pytest.mark.parametrize("method", ["dcodr_norec", "drnet"])
def test_an_encoder_with_a_hidden_layer_is_read_back_without_the_file_it_started_from(
    method: str, tiny_config: Config, tmp_path: Path
) -> None:
    start = Encoder("resnet18", hidden_layer=True).trunk.state_dict()
    query = {f"module.encoder_q.{name}": value for name, value in start.items()}
    torch.save({"state_dict": query}, tmp_path / "moco.pth.tar")
    settings = EncoderConfig(
        arch="resnet18", code_dim=16, weights=str(tmp_path / "moco.pth.tar"), hidden_layer=True
    )
    config = tiny_config.model_copy(update={"encoder": settings, "method": method})
    built = build_method(config, 4, 64, 10)
    encoders = [module for module in built.modules() if isinstance(module, Encoder)]
    assert all(
        torch.equal(encoder.trunk.state_dict()["fc.0.weight"], start["fc.0.weight"]) for encoder in encoders
    )
    save_checkpoint(tmp_path / "c.pt", Checkpoint(config, "print", epoch(3), built.state_dict(), {}))
    (tmp_path / "moco.pth.tar").unlink()
    images = torch.rand(2, 3, 64, 64)
    again = trained_encoder(load_checkpoint(tmp_path / "c.pt"))
    assert torch.equal(again(images), built.eval().encoder(images))


def test_a_config_of_an_earlier_version_keeps_its_meaning(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", checkpoint)
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    config = json.loads(content["config"])
    del config["lr_schedule"], config["encoder"]["hidden_layer"]
    torch.save(content | {"config": json.dumps(config)}, tmp_path / "c.pt")
    assert load_checkpoint(tmp_path / "c.pt").config == checkpoint.config
    assert checkpoint.config.lr_schedule == "step"
    assert not checkpoint.config.encoder.hidden_layer


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_damaged_checkpoints_are_refused(checkpoint: Checkpoint, size: int, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, checkpoint)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"c\.pt: damaged, or not a checkpoint"):
        load_checkpoint(path)


def test_missing_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
    torch.save({"format": 99}, tmp_path / "new.pt")
    with pytest.raises(UserError, match="checkpoint format 99; this version reads 2"):
        load_checkpoint(tmp_path / "new.pt")


def test_a_failed_write_leaves_the_old_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, checkpoint)
    before = path.read_bytes()

    def full_disk(content: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(UserError, match="No space left"):
        save_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_the_checkpoint_before_is_used_where_the_newest_is_damaged(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    assert latest_checkpoint(path) == (None, None)
    for number in (1, 2, 3):
        save_checkpoint(path, replace(checkpoint, last=epoch(number)))
    newest, damage = latest_checkpoint(path)
    assert (newest and newest.last, damage) == (epoch(3), None)

    path.write_bytes(path.read_bytes()[:-100])
    found, damage = latest_checkpoint(path)
    assert found is not None
    assert found.last == epoch(2)
    assert damage is not None
    assert "c.pt: damaged" in damage

    path.unlink()
    found, damage = latest_checkpoint(path)
    assert (found and found.last, damage) == (epoch(2), None)

    before(path).write_bytes(b"")
    with pytest.raises(UserError, match=r"c\.before\.pt: damaged.*delete it to train from the beginning"):
        latest_checkpoint(path)


@pytest.fixture
def perceptual(tiny_config: Config, tmp_path: Path) -> Config:
    """A training with a perceptual network of random weights."""
    weights = tmp_path / "squeezenet.pth"
    features = backbone_features("squeezenet1_1", max(DEFAULT_LAYERS["squeezenet1_1"]))
    torch.save(features.state_dict(), weights)
    settings = PerceptualConfig(backbone="squeezenet1_1", weights=str(weights))
    return tiny_config.model_copy(update={"perceptual": settings})


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_the_frozen_network_is_not_saved_and_old_files_that_have_it_are_read(
    old: bool, perceptual: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, path = build_method(perceptual, 4, 64, 10), tmp_path / "c.pt"
    optimizer = torch.optim.Adam(trained.parameters())
    with monkeypatch.context() as before_the_change:
        if old:
            before_the_change.setattr(module, "FROZEN", "nothing is frozen")
        state = trained.state_dict(), optimizer.state_dict()
        save_checkpoint(path, Checkpoint(perceptual, "print", epoch(1), *state))
    names = torch.load(path, weights_only=True)["model"].keys()
    assert any(name.startswith("distance.") for name in names) == old
    assert any(name.startswith("generator.") for name in names)

    again = build_method(perceptual, 4, 64, 10)
    restore(load_checkpoint(path), again, torch.optim.Adam(again.parameters()))
    values = again.state_dict()
    assert all(torch.equal(values[name], value) for name, value in trained.state_dict().items())
    trained_encoder(load_checkpoint(path))


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_any_other_weight_has_to_be_there(checkpoint: Checkpoint, tiny_config: Config, change: str) -> None:
    weights = dict(checkpoint.model)
    if change == "missing":
        del weights["generator.domain_embedding.weight"]
    else:
        weights["generator.extra"] = torch.ones(1)
    method = build_method(tiny_config, 4, 64, 10)
    with pytest.raises(UserError, match=r"does not fit its config .*generator\.(domain_embedding|extra)"):
        restore(replace(checkpoint, model=weights), method, torch.optim.Adam(method.parameters()))
