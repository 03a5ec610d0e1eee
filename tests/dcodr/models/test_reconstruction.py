"""The error taken in parts against the one of the whole batch."""

import pytest
import torch
from torch import Tensor, nn

from benchmarks.reference.generator import Generator as PlainGenerator
from benchmarks.reference.perceptual import PerceptualDistance as PlainDistance
from dcodr.models.generator import Decoder, Generator
from dcodr.models.perceptual import PerceptualDistance
from dcodr.models.reconstruction import PART, reconstruction_error

WIDTHS = {"channels": 8, "image_size": 16}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def backbone() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())


@pytest.mark.parametrize("n_images", [2, PART, 2 * PART + 5])
def test_equals_plain_networks_on_the_whole_batch(n_images: int) -> None:
    torch.manual_seed(0)
    generator, plain = Generator(4, 3, 5, **WIDTHS), PlainGenerator(4, 3, 5, **WIDTHS)
    plain.load_state_dict(generator.state_dict())
    distance, plain_distance = (
        PerceptualDistance(backbone(), (1, 3), False),
        PlainDistance(backbone(), (1, 3)),
    )
    plain_distance.load_state_dict(distance.state_dict())
    codes = random(n_images, 4).requires_grad_()
    domain, images = torch.arange(n_images) % 3, random(n_images, 3, 16, 16, seed=1).sigmoid()
    error = reconstruction_error(generator, distance, codes, domain, images)
    expected = plain_distance(plain(codes, domain), images)
    torch.testing.assert_close(error, expected, rtol=0, atol=1e-6)
    (0.3 * error).backward()  # type: ignore[no-untyped-call]
    (code_gradient,) = torch.autograd.grad(0.3 * expected, codes, retain_graph=True)
    torch.testing.assert_close(codes.grad, code_gradient, rtol=0, atol=1e-5)
    gradients = torch.autograd.grad(0.3 * expected, list(plain.parameters()))
    expected_by_name = {n: g for (n, _), g in zip(plain.named_parameters(), gradients, strict=True)}
    for name, parameter in generator.named_parameters():
        torch.testing.assert_close(parameter.grad, expected_by_name[name], rtol=0, atol=1e-5)
    assert all(parameter.grad is None for parameter in distance.parameters())


def test_gradients_reach_styles() -> None:
    torch.manual_seed(0)
    decoder = Decoder(4, 5, **WIDTHS)
    codes, style = random(PART + 1, 4).requires_grad_(), random(PART + 1, 5).requires_grad_()
    images = random(PART + 1, 3, 16, 16, seed=1).sigmoid()
    inputs = (codes, style, *decoder.parameters())
    ours = torch.autograd.grad(reconstruction_error(decoder, nn.L1Loss(), codes, style, images), inputs)
    theirs = torch.autograd.grad(nn.L1Loss()(decoder(codes, style), images), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_only_a_part_is_in_memory_at_a_time() -> None:
    sizes = []

    class Watched(nn.L1Loss):
        def forward(self, output: Tensor, target: Tensor) -> Tensor:
            sizes.append(len(output))
            return super().forward(output, target)

    n = 2 * PART + 1
    decoder = Decoder(4, 5, **WIDTHS)
    reconstruction_error(decoder, Watched(), random(n, 4), random(n, 5), random(n, 3, 16, 16))
    assert sizes == [PART, PART, 1]
