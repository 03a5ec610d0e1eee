"""The two measures: known answers, and the equations applied to one image at a time."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as tv

from dcodr.augmentations.names import PAPER_13
from dcodr.models.perceptual import PerceptualDistance
from dcodr.studies.invariance import Distances, view_distances


class Constant(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full_like(images, 0.3)


class Half(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images / 2


class Mirrored(nn.Module):
    """A network whose outputs are equal for an image and its mirror image."""

    def forward(self, images: Tensor) -> Tensor:
        return (images + images.flip(3)) / 2


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def linear() -> PerceptualDistance:
    """Of images twice as far apart it says twice as much."""
    return PerceptualDistance(nn.Sequential(nn.Identity()), (0,), normalise=False)


@pytest.fixture
def features() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2), nn.ReLU())


def test_outputs_that_move_as_inputs_do(images: Tensor, linear: PerceptualDistance) -> None:
    for name, found in view_distances(nn.Identity(), linear, images, PAPER_13).items():
        f_norm, f_unnorm = found.measures()
        assert f_norm == pytest.approx(1.0), name
        assert f_unnorm == pytest.approx(float(found.inputs.mean())), name
        assert f_unnorm > 0, name


def test_outputs_that_move_half_as_far(images: Tensor, linear: PerceptualDistance) -> None:
    for found in view_distances(Half(), linear, images, PAPER_13).values():
        assert found.measures().f_norm == pytest.approx(0.5, rel=1e-5)


def test_outputs_that_do_not_move(images: Tensor, linear: PerceptualDistance) -> None:
    for found in view_distances(Constant(), linear, images, PAPER_13).values():
        assert found.measures() == (0.0, 0.0)


def test_invariance_to_one_augmentation(images: Tensor, linear: PerceptualDistance) -> None:
    found = view_distances(Mirrored(), linear, images, ("horizontal_flip", "vertical_flip"))
    assert found["horizontal_flip"].measures() == pytest.approx((0.0, 0.0), abs=1e-6)
    assert found["vertical_flip"].measures().f_norm > 0.1


def test_views_equal_to_their_images_are_ideal(images: Tensor, linear: PerceptualDistance) -> None:
    symmetric = (images + images.flip(3)) / 2
    found = view_distances(nn.Identity(), linear, symmetric, ("horizontal_flip",))
    assert found["horizontal_flip"].measures() == (0.0, 0.0)


def test_one_image_at_a_time(images: Tensor, features: nn.Sequential) -> None:
    def layers(x: Tensor) -> list[Tensor]:
        x = tv.normalize(x[None], [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        first = features[1](features[0](x))
        return [first, features[3](features[2](first))]

    def dist(a: Tensor, b: Tensor) -> float:
        pairs = [(a, b), *zip(layers(a), layers(b), strict=True)]
        return sum(float(F.l1_loss(x, y)) for x, y in pairs)

    autoencoder = Mirrored()
    views = {
        "vertical_flip": tv.vertical_flip,
        "grayscale": lambda x: tv.rgb_to_grayscale(x, num_output_channels=3),
        "gaussian_blur": lambda x: tv.gaussian_blur(x, [5, 5], [1.0, 1.0]),
    }
    distance = PerceptualDistance(features, (1, 3))
    found = view_distances(autoencoder, distance, images, tuple(views), batch_size=2)
    for name, view in views.items():
        moved, ratios = [], []
        for x in images:
            outputs = autoencoder(x[None])[0], autoencoder(view(x)[None])[0]
            moved.append(dist(*outputs))
            ratios.append(dist(*outputs) / dist(x, view(x)))
        expected = sum(ratios) / len(ratios), sum(moved) / len(moved)
        assert found[name].measures() == pytest.approx(expected, rel=1e-4)


def test_the_seed_decides_the_views(images: Tensor, linear: PerceptualDistance) -> None:
    first, again, other = (
        view_distances(nn.Identity(), linear, images, ("crop",), seed)["crop"].inputs for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_ratios_of_changed_images_are_averaged() -> None:
    found = Distances(inputs=torch.tensor([1.0, 4.0, 0.0]), outputs=torch.tensor([1.0, 2.0, 0.0]))
    assert found.measures() == pytest.approx(((1 + 0.5) / 2, 1.0))
