"""The generator against naive references, closed forms and properties."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.reference.generator import Generator as PlainGenerator
from dcodr.errors import UserError
from dcodr.models.generator import Generator, UpsampleConv2d


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def upsample_then_convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3), (8, 8)])
@pytest.mark.parametrize("widths", [(1, 1), (3, 5), (16, 8)])
def test_upsample_conv_equals_upsampling_and_convolving(
    size: tuple[int, int], widths: tuple[int, int]
) -> None:
    conv = UpsampleConv2d(*widths)
    assert conv.bias is not None
    x = random(2, widths[0], *size).requires_grad_()
    output = conv(x)
    expected = upsample_then_convolve(x, conv.weight, conv.bias)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
    inputs = (x, conv.weight, conv.bias)
    upstream = random(*output.shape, seed=1) / output.numel() ** 0.5
    gradients = torch.autograd.grad(output, inputs, upstream)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, inputs, upstream), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_upsample_conv_has_the_parameters_of_a_3x3_convolution() -> None:
    assert {name: value.shape for name, value in UpsampleConv2d(4, 6).state_dict().items()} == {
        name: value.shape for name, value in nn.Conv2d(4, 6, 3).state_dict().items()
    }


@pytest.mark.parametrize("image_size", [16, 32, 48, 64])
def test_images_have_the_asked_size_and_range(image_size: int) -> None:
    generator = Generator(code_dim=4, n_domains=3, domain_dim=5, channels=8, image_size=image_size)
    images = generator(100 * random(2, 4), torch.tensor([0, 2]))
    assert images.shape == (2, 3, image_size, image_size)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_generator_equals_the_plain_one_with_the_same_weights() -> None:
    generator = Generator(code_dim=4, n_domains=3, domain_dim=5, channels=16, image_size=32)
    plain = PlainGenerator(code_dim=4, n_domains=3, domain_dim=5, channels=16, image_size=32)
    plain.load_state_dict(generator.state_dict())
    codes, domain = random(2, 4), torch.tensor([2, 1])
    torch.testing.assert_close(generator(codes, domain), plain(codes, domain), rtol=0, atol=1e-6)


def test_default_has_the_papers_layers() -> None:
    generator = Generator(code_dim=128, n_domains=183)
    linear = 129 * 16 * 32 + (16 * 32 + 1) * 16 * 64 + (16 * 64 + 1) * 16 * 256
    blocks = 4 * ((256 * 9 + 1) * 256 + 2 * 257 * 256)
    to_image = (256 * 25 + 1) * 64 + (64 * 49 + 1) * 3
    assert sum(p.numel() for p in generator.parameters()) == 183 * 256 + linear + blocks + to_image


def test_domain_embedding_starts_uniform() -> None:
    weight = Generator(code_dim=4, n_domains=500, channels=8).domain_embedding.weight
    assert weight.abs().max() <= 0.05
    assert weight.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.02)


def test_code_and_domain_both_shape_the_image() -> None:
    generator = Generator(code_dim=4, n_domains=2, domain_dim=8, channels=8, image_size=64)
    codes = random(2, 4)
    base = generator(codes, torch.tensor([0, 0]))
    assert not torch.allclose(base[0], base[1], atol=1e-5)
    changed = generator(codes, torch.tensor([0, 1]))
    torch.testing.assert_close(changed[0], base[0])
    assert not torch.allclose(changed[1], base[1], atol=1e-5)


@pytest.mark.parametrize("image_size", [0, 8, 40, 65])
def test_image_size_must_divide_by_16(image_size: int) -> None:
    with pytest.raises(UserError, match=f"images of {image_size} pixels.*16"):
        Generator(code_dim=4, n_domains=2, image_size=image_size)


@pytest.mark.parametrize("channels", [0, 4, 12])
def test_channels_must_divide_by_8(channels: int) -> None:
    with pytest.raises(UserError, match=f"channels is {channels}.*8"):
        Generator(code_dim=4, n_domains=2, channels=channels)
