"""The encoder against torchvision, closed forms and properties."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18

from dcodr.models.encoder import Encoder


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("arch", ["small", "resnet18", "resnet50"])
def test_codes_are_unit_vectors(arch: str, head: bool, images: torch.Tensor) -> None:
    codes = Encoder(arch, code_dim=16, head=head)(images)
    assert codes.shape == (3, 16)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("size", [16, 32, 96, 128])
def test_small_takes_other_sizes(size: int) -> None:
    assert Encoder("small", code_dim=8)(torch.rand(2, 3, size, size)).shape == (2, 8)


def test_resnet_is_torchvisions(images: torch.Tensor) -> None:
    reference = resnet18(num_classes=16).eval()
    encoder = Encoder("resnet18", code_dim=16).eval()
    encoder.trunk.load_state_dict(reference.state_dict())
    torch.testing.assert_close(encoder(images), F.normalize(reference(images), dim=1))


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("small", 3 * 64 * 64 + 64 * 128 * 9 + 128 * 256 * 9 + 2 * (64 + 128 + 256) + (256 * 16 + 1) * 128),
        ("resnet50", 23_508_032 + (2048 + 1) * 128),  # torchvision's 25,557,032 less its 1000-class layer
    ],
)
def test_number_of_parameters(arch: str, expected: int) -> None:
    assert n_parameters(Encoder(arch)) == expected
    assert n_parameters(Encoder(arch, head=True)) == expected + 3 * (128 + 1) * 128


def test_the_hidden_layer_is_linear_and_before_the_last(images: torch.Tensor) -> None:
    encoder = Encoder("resnet18", code_dim=8, hidden_layer=True).eval()
    features = resnet18().eval()
    features.fc = nn.Identity()
    convolutions = {k: v for k, v in encoder.trunk.state_dict().items() if not k.startswith("fc.")}
    features.load_state_dict(convolutions)
    layers = {
        name: (
            encoder.trunk.get_parameter(f"fc.{name}.weight"),
            encoder.trunk.get_parameter(f"fc.{name}.bias"),
        )
        for name in "01"
    }
    assert layers["0"][0].shape == (512, 512)
    expected = F.linear(F.linear(features(images), *layers["0"]), *layers["1"])
    torch.testing.assert_close(encoder(images), F.normalize(expected, dim=1))
    plain = n_parameters(Encoder("resnet50"))
    assert n_parameters(Encoder("resnet50", hidden_layer=True)) == plain + (2048 + 1) * 2048
    with pytest.raises(ValueError, match="encoder small has no hidden layer"):
        Encoder("small", hidden_layer=True)


def test_head_is_three_layers_with_leaky_relu_between(images: torch.Tensor) -> None:
    encoder = Encoder("small", code_dim=8, head=True).eval()
    x = encoder.trunk(images)
    first, second, third = (layer for layer in encoder.head.modules() if isinstance(layer, nn.Linear))
    x = third(F.leaky_relu(second(F.leaky_relu(first(x), 0.01)), 0.01))
    torch.testing.assert_close(encoder(images), F.normalize(x, dim=1))


def test_evaluation_codes_do_not_depend_on_the_batch(images: torch.Tensor) -> None:
    encoder = Encoder("small", code_dim=8)
    encoder(images)
    encoder.eval()
    torch.testing.assert_close(encoder(images), torch.cat([encoder(image[None]) for image in images]))


def test_every_parameter_receives_a_gradient(images: torch.Tensor) -> None:
    encoder = Encoder("small", code_dim=8, head=True)
    encoder(images)[:, 0].sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())


def test_codes_stay_float32_under_autocast(images: torch.Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        codes = Encoder("small", code_dim=8)(images)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(3))


def test_an_exported_resnet_takes_other_sizes(images: torch.Tensor) -> None:
    encoder = Encoder("resnet18", code_dim=8).eval()
    sizes = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    exported = torch.export.export(encoder, (images,), dynamic_shapes=(sizes,)).module()
    larger = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    for batch in (images, larger):
        torch.testing.assert_close(exported(batch), encoder(batch), rtol=1e-5, atol=1e-5)
