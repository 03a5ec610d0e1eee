"""Augmentations from outside, within our views."""

import importlib
from typing import Any

import kornia.augmentation
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from dcodr.augmentations.names import canonical
from dcodr.augmentations.outside import by_strength
from dcodr.augmentations.views import Augment
from dcodr.errors import UserError

SPECKLE = "mypackage.augmentations:speckle"
HUE = "mypackage.augmentations:hue"
pytestmark = pytest.mark.usefixtures("mypackage")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(24, 3, 16, 16, generator=seeded(1))


@pytest.mark.parametrize("mode", ["one", "compose"])
def test_views_follow_from_the_generator_alone(mode: str, images: Tensor) -> None:
    augment = Augment(("crop", SPECKLE, HUE), mode)  # type: ignore[arg-type]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = augment(images, seeded())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(augment(images, seeded()), first)
    assert not torch.equal(augment(images, seeded(1)), first)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_batches_differ(images: Tensor) -> None:
    augment, generator = Augment((SPECKLE,)), seeded()
    changes = [augment(images, generator) - images for _ in range(2)]
    assert not torch.equal(*changes)


def test_strengths_are_drawn_between_their_bounds(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    module = importlib.import_module("mypackage.augmentations")

    def note(images: Tensor, strength: Tensor) -> Tensor:
        seen.append(strength)
        return images

    monkeypatch.setattr(module, "speckle", note)
    for strengths in ({}, {SPECKLE: {"low": 0.25, "high": 0.5}}):
        assert torch.equal(Augment((SPECKLE,), strengths=strengths)(images, seeded()), images)
    assert [strength.shape for strength in seen] == [(24,), (24,)]
    assert 0 <= seen[0].min() < 0.2 < 0.8 < seen[0].max() <= 1
    assert 0.25 <= seen[1].min() < 0.3 < 0.45 < seen[1].max() <= 0.5


def test_an_augmentation_cannot_change_the_anchors(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypackage.augmentations.speckle", lambda images, strength: images.zero_())
    before = images.clone()
    for mode in ("one", "compose"):
        assert not Augment((SPECKLE,), mode)(images, seeded()).any()
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda images, strength: images[:, :1], r"returned \(24, 1, 16, 16\); should be \(24, 3, 16, 16\)"),
        (lambda images, strength: 3, "returned int"),
        (lambda images, strength: images / 0 @ 3, "failed: "),
        (7, "is int; should be a function"),
    ],
)
def test_wrong_results_are_refused(
    result: object, message: str, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mypackage.augmentations.speckle", result)
    with pytest.raises(UserError, match=f"^augmentations: {SPECKLE} .*{message}"):
        Augment((SPECKLE,))(images, seeded())


def test_a_transform_gets_the_strength_of_its_image(images: Tensor) -> None:
    invert = by_strength(lambda strength: v2.RandomInvert(p=float(strength > 0.5)))
    changed = invert(images[:3], torch.tensor([0.0, 1.0, 0.4]))
    torch.testing.assert_close(changed, torch.stack([images[0], 1 - images[1], images[2]]))


def test_they_come_after_ours_in_alphabetical_order() -> None:
    assert canonical(["b.x:a", "gaussian_blur", "a.y:z", "crop"]) == (
        "crop",
        "gaussian_blur",
        "a.y:z",
        "b.x:a",
    )


def test_a_package_that_is_not_allowed_makes_no_views() -> None:
    with pytest.raises(UserError, match="stranger:fog is code of the package stranger"):
        Augment(("stranger:fog",))


def kornias_jitter(strength: float) -> Any:
    return kornia.augmentation.ColorJitter(hue=strength / 2, p=1.0)


def kornias_blur(strength: float) -> Any:
    return kornia.augmentation.RandomGaussianBlur((5, 5), (0.01 + strength, 0.01 + strength), p=1.0)


def kornias_affine(strength: float) -> Any:
    return kornia.augmentation.RandomAffine(degrees=40 * strength, p=1.0)


@pytest.mark.parametrize("make", [kornias_jitter, kornias_blur, kornias_affine])
def test_transforms_of_kornia_are_augmentations(
    make: Any, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mypackage.augmentations.speckle", by_strength(make))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    views = {}
    for strength in (0.0, 1.0):
        augment = Augment((SPECKLE,), strengths={SPECKLE: {"low": strength, "high": strength}})
        views[strength] = augment(images, seeded())
        assert torch.equal(augment(images, seeded()), views[strength])
        assert views[strength].shape == images.shape
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(views[0.0], images, atol=1e-4, rtol=0)
    assert (views[1.0] - images).abs().mean() > 0.01
