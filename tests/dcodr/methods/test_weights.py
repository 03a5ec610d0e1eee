"""Pretrained weights: which files fit, and what is said of those that do not."""

import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18

from dcodr.errors import UserError
from dcodr.methods.weights import load_encoder, load_features
from dcodr.models.encoder import Encoder
from dcodr.models.perceptual import DEFAULT_LAYERS, PerceptualDistance, backbone_features

State = dict[str, torch.Tensor]

real_weights = pytest.mark.skipif(
    "DCODR_WEIGHTS" not in os.environ, reason="set DCODR_WEIGHTS to a folder of real backbone weights"
)


def _features() -> nn.Sequential:
    """Four layers; weights in 0 and 2."""
    return nn.Sequential(nn.Conv2d(3, 4, kernel_size=3), nn.ReLU(), nn.Conv2d(4, 5, kernel_size=3), nn.ReLU())


def _saved(folder: Path, content: Any) -> Path:
    path = folder / "weights.pth"
    torch.save(content, path)
    return path


def _assert_equal(ours: State, theirs: State) -> None:
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=0, atol=0)


@pytest.fixture(scope="module")
def resnet18_state() -> State:
    """A classifier of 1000 classes, as torchvision publishes it."""
    state: State = resnet18().state_dict()
    return state


@pytest.mark.parametrize("prefix", ["", "features."])
def test_features_come_from_files_with_and_without_prefix(tmp_path: Path, prefix: str) -> None:
    donor, features = _features(), _features()
    state = {prefix + key: value for key, value in donor.state_dict().items()}
    extra = {prefix + "7.weight": torch.ones(2), "classifier.0.weight": torch.ones(3)}
    load_features(features, "vgg16", _saved(tmp_path, state | extra))

    _assert_equal(features.state_dict(), donor.state_dict())


def test_features_that_a_file_lacks_are_refused_with_the_layers_it_covers(tmp_path: Path) -> None:
    state = {key: value for key, value in _features().state_dict().items() if key.startswith("0.")}
    path = _saved(tmp_path, state)
    with pytest.raises(UserError, match=r"2\.weight, 2\.bias; .*covers layers 0 to 1, .*0 to 3") as refusal:
        load_features(_features(), "vgg16", path)
    assert str(path) in str(refusal.value)
    assert "perceptual.weights" in str(refusal.value)
    assert "perceptual.layers" in str(refusal.value)


def test_features_of_another_shape_are_refused_and_nothing_is_filled(tmp_path: Path) -> None:
    features = _features()
    kept = {key: value.clone() for key, value in features.state_dict().items()}
    path = _saved(tmp_path, _features().state_dict() | {"0.weight": torch.ones(4, 1, 3, 3)})
    with pytest.raises(UserError, match=r"0\.weight; the file covers no layer") as refusal:
        load_features(features, "vgg16", path)
    assert str(path) in str(refusal.value)
    _assert_equal(features.state_dict(), kept)


def test_features_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, _features().state_dict() | {"2.bias": "five numbers"})
    with pytest.raises(UserError, match=r"2\.bias; the file covers layers 0 to 1"):
        load_features(_features(), "vgg16", path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.pth"
    with pytest.raises(UserError, match=r"perceptual\.weights: no such file") as refusal:
        load_features(_features(), "vgg16", path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut off"])
def test_file_that_holds_no_weights_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"perceptual\.weights: .* is not a readable file") as refusal:
        load_features(_features(), "vgg16", path)
    assert str(path) in str(refusal.value)


def test_file_that_holds_no_dictionary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds a Tensor, not a state dict"):
        load_features(_features(), "vgg16", _saved(tmp_path, torch.ones(2)))


@pytest.mark.parametrize("moco", [False, True])
def test_encoder_takes_all_but_the_last_layer(tmp_path: Path, resnet18_state: State, moco: bool) -> None:
    encoder = Encoder("resnet18", code_dim=8)
    own_fc = encoder.trunk.state_dict()["fc.weight"].clone()
    content: dict[str, Any] = dict(resnet18_state)
    if moco:
        query = {f"module.encoder_q.{key}": value for key, value in resnet18_state.items()}
        query |= {"module.encoder_q.fc.0.weight": torch.ones(2), "module.queue": torch.ones(2)}
        keys = {"module.encoder_k.conv1.weight": torch.zeros(64, 3, 7, 7)}
        content = {"epoch": 200, "arch": "resnet18", "state_dict": query | keys}
    load_encoder(encoder, "resnet18", _saved(tmp_path, content))

    trunk = encoder.trunk.state_dict()
    _assert_equal(trunk, {key: v for key, v in resnet18_state.items() if not key.startswith("fc.")})
    torch.testing.assert_close(trunk["fc.weight"], own_fc, rtol=0, atol=0)


def published_moco(version: int, width: int, state: State) -> dict[str, Any]:
    """A checkpoint as MoCo's authors publish theirs: query encoder with its head, key encoder, optimiser.

    Version 1 has one linear layer behind the features, version 2 two with a ReLU between.
    """
    query = {key: value for key, value in state.items() if not key.startswith("fc.")}
    last = "fc." if version == 1 else "fc.2."
    if version == 2:
        query |= {"fc.0.weight": torch.randn(width, width), "fc.0.bias": torch.randn(width)}
    query |= {f"{last}weight": torch.randn(128, width), f"{last}bias": torch.randn(128)}
    keys = {name: torch.zeros_like(value) for name, value in query.items()}
    return {
        "epoch": 800,
        "arch": "resnet18",
        "state_dict": {f"module.encoder_q.{key}": value for key, value in query.items()}
        | {f"module.encoder_k.{key}": value for key, value in keys.items()}
        | {"module.queue": torch.zeros(128, 9), "module.queue_ptr": torch.zeros(1, dtype=torch.long)},
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.03, "params": [0]}]},
    }


def test_the_hidden_layer_of_moco_v2_is_kept(tmp_path: Path, resnet18_state: State) -> None:
    encoder = Encoder("resnet18", code_dim=8, hidden_layer=True)
    own = encoder.trunk.state_dict()["fc.1.weight"].clone()
    content = published_moco(2, 512, resnet18_state)
    load_encoder(encoder, "resnet18", _saved(tmp_path, content))

    trunk, query = encoder.trunk.state_dict(), content["state_dict"]
    assert torch.equal(trunk["fc.0.weight"], query["module.encoder_q.fc.0.weight"])
    assert torch.equal(trunk["fc.0.bias"], query["module.encoder_q.fc.0.bias"])
    assert torch.equal(trunk["fc.1.weight"], own)
    _assert_equal(trunk, {key: v for key, v in resnet18_state.items() if not key.startswith("fc.")})


@pytest.mark.parametrize("version", [1, 2])
def test_without_a_hidden_layer_only_the_convolutions_of_moco_are_taken(
    tmp_path: Path, resnet18_state: State, version: int
) -> None:
    encoder = Encoder("resnet18", code_dim=8)
    own = encoder.trunk.state_dict()["fc.weight"].clone()
    load_encoder(encoder, "resnet18", _saved(tmp_path, published_moco(version, 512, resnet18_state)))
    trunk = encoder.trunk.state_dict()
    assert torch.equal(trunk["fc.weight"], own)
    _assert_equal(trunk, {key: v for key, v in resnet18_state.items() if not key.startswith("fc.")})


@pytest.mark.parametrize("file", ["moco-v1", "torchvision", "other width"])
def test_a_file_without_that_hidden_layer_is_refused(
    tmp_path: Path, resnet18_state: State, file: str
) -> None:
    contents: dict[str, dict[str, Any]] = {
        "moco-v1": published_moco(1, 512, resnet18_state),
        "torchvision": dict(resnet18_state),
        "other width": published_moco(2, 64, resnet18_state),
    }
    path = _saved(tmp_path, contents[file])
    with pytest.raises(
        UserError, match=r"hidden_layer is true, but .* no hidden layer of 512 -> 512"
    ) as refusal:
        load_encoder(Encoder("resnet18", 8, hidden_layer=True), "resnet18", path)
    assert str(path) in str(refusal.value)
    assert "encoder.hidden_layer to false" in str(refusal.value)


def test_encoder_weights_of_another_architecture_are_refused(tmp_path: Path, resnet18_state: State) -> None:
    path = _saved(tmp_path, {key: v for key, v in resnet18_state.items() if key.startswith("conv1")})
    with pytest.raises(UserError, match=r"weights of resnet18 are missing.* and \d+ more") as refusal:
        load_encoder(Encoder("resnet18", code_dim=8), "resnet18", path)
    assert str(path) in str(refusal.value)
    assert "encoder.weights" in str(refusal.value)


def test_small_encoder_has_no_weights_to_load(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.weights is .*imagenet.*small encoder"):
        load_encoder(Encoder("small", code_dim=8), "small", "imagenet")


def test_published_weights_come_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resnet18_state: State
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(resnet18_state, tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    encoder = Encoder("resnet18", code_dim=8)
    load_encoder(encoder, "resnet18", "imagenet")

    torch.testing.assert_close(encoder.trunk.state_dict()["conv1.weight"], resnet18_state["conv1.weight"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"half a download", r"is not a readable .*: replace it"), (None, "holds a list, not a state dict")],
)
def test_a_damaged_file_in_the_cache_is_named(
    content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir()
    if content is None:
        torch.save([1], path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"encoder\.weights: .*{message}") as refusal:
        load_encoder(Encoder("resnet18", code_dim=8), "resnet18", "imagenet")
    assert str(path) in str(refusal.value)


def test_fetched_weights_are_checked_against_the_hash_in_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resnet18_state: State
) -> None:
    fetched: list[tuple[str, str, str]] = []

    def fetch(url: str, path: str, hash_prefix: str) -> None:
        fetched.append((url, path, hash_prefix))
        torch.save(resnet18_state, path)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for _ in range(2):
        load_encoder(Encoder("resnet18", code_dim=8), "resnet18", "imagenet")
    path = str(tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    assert fetched == [("https://download.pytorch.org/models/resnet18-f37072fd.pth", path, "f37072fd")]


def test_published_weights_that_cannot_be_fetched_say_where_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_args: object, **_kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(UserError, match="no route to host") as refusal:
        load_features(_features(), "vgg16", "imagenet")
    message = str(refusal.value)
    assert "place vgg16-397923af.pth from https://download.pytorch.org" in message
    assert str(tmp_path / "checkpoints") in message
    assert "perceptual.weights" in message


def _real(name: str) -> Path:
    return Path(os.environ["DCODR_WEIGHTS"], name)


@real_weights
def test_vgg19_cut_after_relu3_1_fills_the_layers_it_covers() -> None:
    path = _real("vgg19_relu3_1.pth")
    features = backbone_features("vgg19", 11)
    load_features(features, "vgg19", path)

    stored = torch.load(path, weights_only=True)
    found = {key.removeprefix("features."): value for key, value in stored.items()}
    _assert_equal(found, features.state_dict())
    with pytest.raises(UserError, match=r"covers layers 0 to 11, but layers 0 to 13 are needed"):
        load_features(backbone_features("vgg19", 13), "vgg19", path)


@real_weights
def test_squeezenet_finds_a_blurred_image_nearer_than_an_unrelated_one() -> None:
    features = backbone_features("squeezenet1_1", 12)
    before = {key: value.clone() for key, value in features.state_dict().items()}
    load_features(features, "squeezenet1_1", _real("squeezenet1_1_features_torch.pth"))
    assert all(not torch.equal(before[key], value) for key, value in features.state_dict().items())

    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    both = F.interpolate(coarse, size=64, mode="bilinear")
    image, unrelated = both[:1], both[1:]
    blurred = F.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
    distance = PerceptualDistance(features, DEFAULT_LAYERS["squeezenet1_1"])
    assert distance(blurred, image) < 0.8 * distance(unrelated, image)


@pytest.mark.parametrize("inner", [None, [1], torch.zeros(2)], ids=["none", "list", "tensor"])
def test_a_checkpoint_whose_state_dict_is_none_is_refused(inner: object, tmp_path: Path) -> None:
    torch.save({"state_dict": inner}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"odd\.pth has a state_dict that is a"):
        load_encoder(Encoder("resnet18", 8), "resnet18", tmp_path / "odd.pth")


def test_files_from_before_batch_counters_are_read(tmp_path: Path) -> None:
    source = Encoder("resnet18", 8)
    state = {k: v for k, v in source.trunk.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    target = Encoder("resnet18", 16)
    load_encoder(target, "resnet18", tmp_path / "old.pth")
    first = target.trunk.state_dict()["conv1.weight"]
    assert torch.equal(first, state["conv1.weight"])
