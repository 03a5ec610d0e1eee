"""Every kind of encoder keeps the same contract."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.models import shufflenet_v2_x0_5

from dcodr.config import Config, EncoderConfig
from dcodr.errors import UserError
from dcodr.methods.build import build_encoder
from dcodr.methods.weights import load_encoder
from dcodr.models.encoder import Encoder
from dcodr.training.checkpoint import encoder_with
from dcodr.training.encoder_file import read_encoder, write_encoder

KINDS = (
    "small",
    "resnet18",
    "timm:test_resnet",
    "timm:test_vit",
    "torchvision:shufflenet_v2_x0_5",
    "mypackage.nets:tiny",
)
pytestmark = pytest.mark.usefixtures("mypackage")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("arch", KINDS)
def test_codes_are_unit_vectors_that_teach_the_first_layer(
    arch: str, head: bool, images: torch.Tensor
) -> None:
    encoder = Encoder(arch, code_dim=8, head=head, image_size=64)
    assert encoder.training
    codes = encoder(images)
    assert codes.shape == (4, 8)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(4))
    (codes[0] @ codes[1]).backward()
    first = next(encoder.parameters())
    assert first.grad is not None
    assert first.grad.isfinite().all()
    assert first.grad.any()


@pytest.mark.parametrize("arch", KINDS)
def test_codes_do_not_depend_on_the_batch_in_evaluation(arch: str, images: torch.Tensor) -> None:
    encoder = Encoder(arch, code_dim=8, image_size=64).eval()
    with torch.no_grad():
        torch.testing.assert_close(encoder(images)[:1], encoder(images[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", KINDS)
def test_a_saved_encoder_comes_back(arch: str, images: torch.Tensor, tmp_path: Path) -> None:
    config = Config(encoder=EncoderConfig(arch=arch, code_dim=8))
    encoder = build_encoder(config.encoder, 64)
    encoder(images)  # moves the statistics of batches
    encoder.eval()
    weights = {name: value.clone() for name, value in encoder.state_dict().items()}
    write_encoder(tmp_path / "e.safetensors", encoder, config)
    for again in (encoder_with(weights, config.encoder, 64), read_encoder(tmp_path / "e.safetensors")):
        assert not again.training
        assert again.image_size == 64
        with torch.no_grad():
            torch.testing.assert_close(again(images), encoder(images), rtol=0, atol=0)


@pytest.mark.parametrize("arch", [arch for arch in KINDS if ":" in arch])
def test_weights_from_a_file_start_all_but_the_last_layer(arch: str, tmp_path: Path) -> None:
    source, target = Encoder(arch, code_dim=11), Encoder(arch, code_dim=8)
    save_file(source.trunk.state_dict(), tmp_path / "w.safetensors")
    last = {name: value.clone() for name, value in target.trunk.state_dict().items()}
    load_encoder(target, arch, tmp_path / "w.safetensors")
    theirs, ours = source.trunk.state_dict(), target.trunk.state_dict()
    different = [name for name in ours if theirs[name].shape != ours[name].shape]
    assert len(different) == 2
    for name, value in ours.items():
        torch.testing.assert_close(value, last[name] if name in different else theirs[name])


def test_torchvisions_networks_are_torchvisions(images: torch.Tensor) -> None:
    reference = shufflenet_v2_x0_5(num_classes=8).eval()
    encoder = Encoder("torchvision:shufflenet_v2_x0_5", code_dim=8).eval()
    encoder.trunk.load_state_dict(reference.state_dict())
    torch.testing.assert_close(encoder(images), F.normalize(reference(images), dim=1))


def test_a_last_layer_of_zeros_is_drawn_anew() -> None:
    # torchvision's vision transformers begin with a head of zeros.
    encoder = Encoder("torchvision:vit_b_16", code_dim=8, image_size=16).eval()
    with torch.no_grad():
        codes = encoder(torch.rand(2, 3, 16, 16))
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("timm:test_resnett", "timm 1.* has no model 'test_resnett'; did you mean test_resnet"),
        ("torchvision:resnet19", "torchvision has no model 'resnet19'; it has alexnet"),
        ("torchvision:alexnet", "alexnet cannot encode images of 16x16 pixels: RuntimeError"),
        ("mypackage.augmentations:speckle", "cannot be built: TypeError"),
        ("mypackage.nets:nothing", "cannot be loaded: AttributeError"),
        ("stranger:net", "which this machine does not allow"),
    ],
)
def test_impossible_encoders_are_refused(arch: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Encoder(arch, code_dim=8, image_size=16)


def test_codes_of_another_width_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mypackage.nets

    monkeypatch.setattr(mypackage.nets, "tiny", lambda num_classes: torch.nn.Flatten())
    with pytest.raises(UserError, match=r"maps 2 images to \(2, 768\); should be \(2, 8\)"):
        Encoder("mypackage.nets:tiny", code_dim=8, image_size=16)


def test_nothing_is_downloaded_for_timm(tmp_path: Path) -> None:
    encoder = Encoder("timm:test_resnet", code_dim=8)
    with pytest.raises(UserError, match="nothing is downloaded for timm:test_resnet: set it to a file"):
        load_encoder(encoder, "timm:test_resnet", "imagenet")
