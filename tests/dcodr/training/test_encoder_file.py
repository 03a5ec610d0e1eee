"""An encoder as one file of plain weights."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dcodr import load
from dcodr.config import Config, EncoderConfig
from dcodr.errors import UserError
from dcodr.models.encoder import Encoder
from dcodr.training.encoder_file import read_encoder, sha256, write_encoder
from tests.planted import MakesFolder

CONFIG = Config(encoder=EncoderConfig(arch="small", code_dim=8, head=True, weights=None))


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder("small", 8, head=True).eval()


def test_an_encoder_comes_back_and_the_same_one_makes_the_same_file(tmp_path: Path, encoder: Encoder) -> None:
    file, again = tmp_path / "new" / "encoder.safetensors", tmp_path / "again.safetensors"
    assert write_encoder(file, encoder, CONFIG) == write_encoder(again, encoder, CONFIG) == sha256(file)
    (tmp_path / "plain").touch()
    assert file.stat().st_mode == (tmp_path / "plain").stat().st_mode
    images = torch.rand(2, 3, 32, 32)
    for read in (read_encoder(file, sha256(file)), read_encoder(file), load(file)):
        assert not read.training
        assert torch.equal(read(images), encoder(images))


def test_size_and_fit_of_the_images_come_with_it(tmp_path: Path, encoder: Encoder) -> None:
    file = tmp_path / "encoder.safetensors"
    encoder.image_size, encoder.fit = 48, "stretch"
    write_encoder(file, encoder, CONFIG)
    read = load(file)
    assert (read.image_size, read.fit) == (48, "stretch")
    # Files of earlier versions have no fit; their images were cropped. Other fits are refused.
    weights, header = load_file(file), {"config": CONFIG.model_dump(mode="json"), "image_size": 48}
    save_file(weights, file, metadata={"dcodr": json.dumps(header)})
    assert load(file).fit == "crop"
    save_file(weights, file, metadata={"dcodr": json.dumps({**header, "fit": "fold"})})
    with pytest.raises(UserError, match="damaged, or not an encoder of dcodr: fit is 'fold'"):
        load(file)


def test_a_changed_file_is_refused_where_a_digest_is_known(tmp_path: Path, encoder: Encoder) -> None:
    file = tmp_path / "encoder.safetensors"
    digest = write_encoder(file, encoder, CONFIG)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    read_encoder(file)
    with pytest.raises(UserError, match=rf"{sha256(file)}, but {digest} was recorded"):
        read_encoder(file, digest)


@pytest.mark.parametrize(
    ("arch", "reason"), [("small", "does not fit its config"), ("resnet18", "does not fit its config")]
)
def test_weights_of_another_config_are_refused(
    tmp_path: Path, encoder: Encoder, arch: Any, reason: str
) -> None:
    other = CONFIG.model_copy(update={"encoder": EncoderConfig(arch=arch, code_dim=16, head=True)})
    write_encoder(tmp_path / "encoder.safetensors", encoder, other)
    with pytest.raises(UserError, match=reason):
        read_encoder(tmp_path / "encoder.safetensors")


def test_other_files_are_refused_and_run_nothing(tmp_path: Path) -> None:
    file, made = tmp_path / "encoder.safetensors", tmp_path / "made"
    with pytest.raises(UserError, match="no such file"):
        read_encoder(file)
    torch.save(MakesFolder(made), tmp_path / "saved")
    for content in (pickle.dumps(MakesFolder(made)), (tmp_path / "saved").read_bytes(), b"", b"\xff" * 100):
        file.write_bytes(content)
        with pytest.raises(UserError, match="damaged, or not an encoder"):
            read_encoder(file)
    assert not made.exists()
