"""Augmentation kernels against torchvision, closed forms, and the views made of them."""

import inspect
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from dcodr.augmentations import draws
from dcodr.augmentations.blur import gaussian_blur, kernel_size_of
from dcodr.augmentations.color import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from dcodr.augmentations.geometry import crop, erase, rotate
from dcodr.augmentations.names import AUGMENTATIONS, PAPER_13, PAPER_SET, STRENGTHS, strengths_of
from dcodr.augmentations.views import TABLE, Augment, Kernel
from dcodr.errors import UserError

WITHOUT_PARAMETERS = ("horizontal_flip", "vertical_flip", "grayscale", "gaussian_blur")

HEIGHT, WIDTH = 32, 40

# Supplement, section 1.3; the area is torchvision's default.
PUBLISHED = {
    "low_contrast": {"low": 0.3, "high": 0.8},
    "low_brightness": {"low": 0.3, "high": 0.8},
    "color_rotation": {"low": 0.2, "high": 0.5},
    "random_erase": {"max_area": 0.33},
    "affine": {"degrees": 40.0},
    "crop": {"min_scale": 0.5},
    "high_brightness": {"low": 1.4, "high": 1.8},
    "high_contrast": {"low": 1.8, "high": 3.0},
    "high_saturation": {"low": 1.8, "high": 3.0},
    "gaussian_blur": {"sigma": 1.0},
}


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    """Noise, smooth, one-coloured, white and black images, in steps of 1/255."""
    generator = seeded()
    noise = torch.rand(8, 3, HEIGHT, WIDTH, generator=generator)
    smooth = F.interpolate(torch.rand(8, 3, 4, 4, generator=generator), (HEIGHT, WIDTH), mode="bilinear")
    plain = torch.rand(4, 3, 1, 1, generator=generator).expand(4, 3, HEIGHT, WIDTH)
    extremes = torch.stack((torch.ones(3, HEIGHT, WIDTH), torch.zeros(3, HEIGHT, WIDTH)))
    return (torch.cat((noise, smooth, plain, extremes)) * 255).round() / 255


def paper(name: str) -> tuple[draws.Draw, Kernel]:
    """Return the draw and the kernel of an augmentation with the paper's strengths."""
    return TABLE[name](**PUBLISHED.get(name, {}))


def tv_simsiam(image: Tensor, box: Tensor, mirrored: Tensor, *rest: Tensor) -> Tensor:
    brightness, contrast, saturation, hue, gray, sigma = (parameter.item() for parameter in rest)
    image = tv.resized_crop(image, *box.tolist(), size=[HEIGHT, WIDTH], antialias=True)
    image = tv.horizontal_flip(image) if mirrored else image
    image = tv.adjust_contrast(tv.adjust_brightness(image, brightness), contrast)
    image = tv.adjust_hue(tv.adjust_saturation(image, saturation), hue)
    image = tv.rgb_to_grayscale(image, 3) if gray else image
    blurred: Tensor = tv.gaussian_blur(image, [3, 3], [sigma])
    return blurred


TORCHVISION: dict[str, Callable[..., Tensor]] = {
    "horizontal_flip": tv.horizontal_flip,
    "vertical_flip": tv.vertical_flip,
    "low_contrast": lambda image, factor: tv.adjust_contrast(image, factor.item()),
    "low_brightness": lambda image, factor: tv.adjust_brightness(image, factor.item()),
    "color_rotation": lambda image, turn: tv.adjust_hue(image, turn.item()),
    "random_erase": lambda image, box: tv.erase(image, *box.tolist(), v=torch.zeros(1)),
    "affine": lambda image, degrees: tv.affine(image, degrees.item(), [0, 0], 1.0, [0.0, 0.0], fill=1.0),
    "grayscale": lambda image: tv.rgb_to_grayscale(image, 3),
    "crop": lambda image, box: tv.resized_crop(image, *box.tolist(), size=[HEIGHT, WIDTH], antialias=True),
    "high_brightness": lambda image, factor: tv.adjust_brightness(image, factor.item()),
    "high_contrast": lambda image, factor: tv.adjust_contrast(image, factor.item()),
    "high_saturation": lambda image, factor: tv.adjust_saturation(image, factor.item()),
    "gaussian_blur": lambda image, sigma: tv.gaussian_blur(image, [5, 5], [sigma.item()]),
    "simsiam": tv_simsiam,
}


def test_names() -> None:
    assert tuple(TABLE) == AUGMENTATIONS
    assert len(PAPER_13) == 13
    assert tuple(name for name in AUGMENTATIONS if name in PAPER_SET) == PAPER_SET
    lean = "import sys, dcodr.augmentations.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lean], check=False).returncode == 0


def test_strengths_are_published_and_each_is_of_its_augmentation() -> None:
    assert {name: strengths_of(name, {}) for name in STRENGTHS} == PUBLISHED
    for name, build in TABLE.items():
        assert list(inspect.signature(build).parameters) == list(STRENGTHS.get(name, {}))
    for known in STRENGTHS.values():
        assert all(strength.low <= strength.paper <= strength.high for strength in known.values())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_equals_torchvision_image_by_image(name: str, images: Tensor) -> None:
    draw, kernel = paper(name)
    parameters = draw((len(images), HEIGHT, WIDTH), seeded(1))
    expected = torch.stack(
        [TORCHVISION[name](image, *(p[i] for p in parameters)) for i, image in enumerate(images)]
    )
    torch.testing.assert_close(kernel(images, *parameters), expected, rtol=0, atol=1e-5)


PIL_STEPS = {name: 2.1 for name in PAPER_13 if name not in ("random_erase", "affine")} | {
    "color_rotation": 20.0  # PIL rounds hue and saturation to 8 bits on the way
}


@pytest.mark.parametrize("name", PIL_STEPS)
def test_is_near_pil(name: str, images: Tensor) -> None:
    """The official code works on 8-bit images; ours differ by its rounding, in steps of 1/255."""
    draw, kernel = paper(name)
    parameters = draw((len(images), HEIGHT, WIDTH), seeded(2))
    expected = [
        tv.pil_to_tensor(TORCHVISION[name](tv.to_pil_image(image), *(p[i] for p in parameters)))
        for i, image in enumerate(images)
    ]
    steps = (kernel(images, *parameters) * 255 - torch.stack(expected)).abs()
    assert steps.max() <= PIL_STEPS[name]
    assert steps.mean() < 1.5


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_view_is_a_valid_new_tensor_in_the_layout_of_the_input(name: str, images: Tensor) -> None:
    channels_last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    before = images.clone()
    planar = Augment([name])(images, seeded())
    interleaved = Augment([name])(channels_last, seeded())
    assert planar.shape == images.shape
    assert planar.dtype == torch.float32
    assert planar.min() >= 0
    assert planar.max() <= 1
    assert planar.is_contiguous()
    assert interleaved.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(planar, interleaved)
    assert torch.equal(images, before)
    assert torch.equal(channels_last, before)


@pytest.mark.parametrize("mode", ["one", "compose"])
@pytest.mark.parametrize("names", [*([n] for n in AUGMENTATIONS if n not in WITHOUT_PARAMETERS), PAPER_SET])
def test_generator_decides_and_every_image_has_its_own_parameters(names: list[str], mode: str) -> None:
    copies = torch.rand(1, 3, HEIGHT, WIDTH, generator=seeded()).repeat(6, 1, 1, 1)
    augment = Augment(names, mode=mode)  # type: ignore[arg-type]
    views = augment(copies, seeded(3))
    assert torch.equal(views, augment(copies, seeded(3)))
    assert not torch.equal(views, augment(copies, seeded(4)))
    assert F.pdist(views.flatten(1)).min() > 0


def test_order_of_names_does_not_matter(images: Tensor) -> None:
    for mode in ("one", "compose"):
        forward = Augment(PAPER_SET, mode=mode)
        backward = Augment(PAPER_SET[::-1], mode=mode)
        assert forward.names == backward.names == PAPER_SET
        assert torch.equal(forward(images, seeded()), backward(images, seeded()))


@pytest.mark.parametrize("mode", ["one", "compose"])
def test_strengths_that_are_not_given_are_the_papers(mode: str, images: Tensor) -> None:
    plain = Augment(AUGMENTATIONS, mode=mode)  # type: ignore[arg-type]
    spelled = Augment(AUGMENTATIONS, mode, PUBLISHED)  # type: ignore[arg-type]
    half = Augment(AUGMENTATIONS, mode, {"high_contrast": {"high": 3}, "crop": {}})  # type: ignore[arg-type]
    views = plain(images, seeded(5))
    assert torch.equal(views, spelled(images, seeded(5)))
    assert torch.equal(views, half(images, seeded(5)))


NEUTRAL: dict[str, dict[str, float]] = {
    "low_contrast": {"low": 1, "high": 1},
    "low_brightness": {"low": 1, "high": 1},
    "color_rotation": {"low": 0, "high": 0},
    "affine": {"degrees": 0},
    "crop": {"min_scale": 1},
    "high_brightness": {"low": 1, "high": 1},
    "high_contrast": {"low": 1, "high": 1},
    "high_saturation": {"low": 1, "high": 1},
    "gaussian_blur": {"sigma": 0.1},
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_neutral_strengths_change_nothing(name: str, images: Tensor) -> None:
    squares = images[..., :HEIGHT]  # only in a square does a crop of the whole area fit
    view = Augment([name], strengths=NEUTRAL)(squares, seeded())
    torch.testing.assert_close(view, squares, rtol=0, atol=1e-5)
    assert (Augment([name])(squares, seeded()) - squares).abs().max() > 0.1


def test_strengths_reach_their_own_member_alone() -> None:
    white = torch.ones(64, 3, HEIGHT, HEIGHT)
    strengths: dict[str, dict[str, float]] = {
        "low_brightness": {"low": 0.25, "high": 0.25},
        "random_erase": {"max_area": 0.02},
    }
    dark = Augment(["low_brightness", "high_brightness"], "compose", strengths)(white, seeded())
    assert ((dark >= 0.25 * 1.4 - 1e-6) & (dark <= 0.25 * 1.8 + 1e-6)).all()
    erased = (Augment(["random_erase"], strengths=strengths)(white, seeded()) == 0).sum((2, 3)) / HEIGHT**2
    torch.testing.assert_close(erased, torch.full_like(erased, 0.02), rtol=0, atol=0.005)


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"blur": {"sigma": 2}}, r"received .*blur: no augmentation .*did you mean gaussian_blur"),
        ({"grayscale": {}}, r"grayscale: no augmentation with strengths"),
        ({"affine": {"sigma": 2}}, r"affine\.sigma: unknown strength; allowed: degrees"),
        ({"affine": {"degrees": 200}}, r"affine\.degrees: should be from 0 to 180"),
        ({"crop": {"min_scale": float("nan")}}, r"crop\.min_scale: should be from 0\.05 to 1"),
        ({"low_contrast": {"low": 0.9}}, r"low 0\.9 is above high 0\.8 \(the paper's\)"),
    ],
)
def test_refuses_strengths(strengths: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Augment(["crop"], strengths=strengths)


def test_one_member_an_image_each_as_likely() -> None:
    names = ("horizontal_flip", "vertical_flip", "grayscale")
    images = torch.rand(3000, 3, 4, 4, generator=seeded())
    views = Augment(names)(images, seeded(1))
    expected = (images.flip(3), images.flip(2), torch.stack([tv.rgb_to_grayscale(i, 3) for i in images]))
    made_by = torch.stack([(views - e).abs().flatten(1).amax(1) < 1e-6 for e in expected])
    assert (made_by.sum(0) == 1).all()
    counts = made_by.sum(1)
    assert ((counts - 1000) ** 2 / 1000).sum() < 9.2  # chi-square, 2 degrees of freedom, p = 0.01


def test_compose_applies_all_members_in_canonical_order() -> None:
    white = torch.ones(64, 3, HEIGHT, WIDTH)
    views = Augment(("grayscale", "random_erase", "affine", "vertical_flip"), mode="compose")(white, seeded())
    # Rotating after erasing moves the black box; corners stay white, and gray comes last.
    torch.testing.assert_close(views.amax((1, 2, 3)), torch.full((64,), 0.9999))
    black = (views == 0).all(1)
    assert black.any((1, 2)).all()
    tilted = black.any(1).sum(1) * black.any(2).sum(1) > black.sum((1, 2))
    assert tilted.float().mean() > 0.9
    plain = torch.rand(16, 3, HEIGHT, WIDTH, generator=seeded())
    turned = Augment(("horizontal_flip", "vertical_flip"), mode="compose")(plain, seeded())
    assert torch.equal(turned, plain.rot90(2, (2, 3)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "is empty"),
        (["crop", "crop"], "repeats a name"),
        (["crop", "cutmix"], "'cutmix' is unknown"),
    ],
)
def test_refuses_names(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        Augment(names)
    assert all(name in str(refusal.value) for name in AUGMENTATIONS)


def test_refuses_mode_and_images() -> None:
    with pytest.raises(UserError, match=r"'all'.*one, compose"):
        Augment(["crop"], mode="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"received torch.uint8 \(2, 3, 8, 8\)"):
        Augment(["crop"])(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), seeded())


def test_flips_are_involutions(images: Tensor) -> None:
    for name in ("horizontal_flip", "vertical_flip"):
        flip = Augment([name])
        assert not torch.equal(flip(images, seeded()), images)
        assert torch.equal(flip(flip(images, seeded()), seeded()), images)


def test_neutral_parameters_change_nothing(images: Tensor) -> None:
    one, zero = torch.ones(len(images)), torch.zeros(len(images))
    whole = torch.tensor([[0, 0, HEIGHT, WIDTH]]).repeat(len(images), 1)
    views = [
        adjust_brightness(images, one),
        adjust_contrast(images, one),
        adjust_saturation(images, one),
        adjust_hue(images, zero),
        adjust_hue(images, one),
        crop(images, whole),
        rotate(images, zero),
        erase(images, torch.zeros(len(images), 4, dtype=torch.long)),
        gaussian_blur(images, one * 1e-3, kernel_size=3),
    ]
    for view in views:
        torch.testing.assert_close(view, images, rtol=0, atol=1e-5)


def test_hue_turns_red_to_green_to_blue_and_keeps_gray() -> None:
    red_and_gray = torch.tensor([[0.9, 0.5], [0.1, 0.5], [0.1, 0.5]])[None, :, None].repeat(2, 1, 1, 1)
    green, blue = adjust_hue(red_and_gray, torch.tensor([1 / 3, -1 / 3]))[:, :, 0, 0]
    torch.testing.assert_close(green, torch.tensor([0.1, 0.9, 0.1]), rtol=0, atol=1e-6)
    torch.testing.assert_close(blue, torch.tensor([0.1, 0.1, 0.9]), rtol=0, atol=1e-6)
    gray = adjust_hue(red_and_gray, torch.tensor([0.3, -0.4]))[:, :, 0, 1]
    assert torch.equal(gray, torch.full((2, 3), 0.5))


def test_crop_sees_nothing_outside_its_box() -> None:
    images = torch.ones(1, 3, HEIGHT, WIDTH)
    images[:, :, 5:17, 9:30] = 0.25
    view = crop(images, torch.tensor([[5, 9, 12, 21]]))
    torch.testing.assert_close(view, torch.full_like(images, 0.25))


def test_rotate_is_clockwise_and_fills_white() -> None:
    images = torch.rand(2, 3, 9, 9, generator=seeded()) * 0.5
    quarter, eighth = rotate(images, torch.tensor([90.0, 45.0]))
    torch.testing.assert_close(quarter, images[0].rot90(-1, (1, 2)))
    corners = eighth[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(corners, torch.ones(3, 4))


def test_blur_spreads_a_point_as_the_gaussian() -> None:
    point = torch.zeros(2, 3, 9, 9)
    point[:, :, 4, 4] = 1
    sigma = torch.tensor([1.0, 2.0])
    spread = gaussian_blur(point, sigma, kernel_size=5)
    offset = torch.arange(-2, 3)
    for view, width in zip(spread, sigma, strict=True):
        taps = torch.exp(-(offset**2) / (2 * width**2))
        expected = torch.outer(taps, taps) / taps.sum() ** 2
        torch.testing.assert_close(view[:, 2:7, 2:7], expected.expand(3, 5, 5))
        torch.testing.assert_close(view.sum((1, 2)), torch.ones(3))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.7, 5.0])
def test_blur_of_any_sigma_equals_torchvisions(sigma: float, images: Tensor) -> None:
    taps = 2 * math.ceil(2 * sigma) + 1
    assert kernel_size_of(1.0) == 5
    blurred = Augment(["gaussian_blur"], strengths={"gaussian_blur": {"sigma": sigma}})(images, seeded())
    expected = tv.gaussian_blur(images, [taps, taps], [sigma, sigma])
    torch.testing.assert_close(blurred, expected, rtol=0, atol=1e-5)


def spread(sigma: float) -> float:
    """Variance, in square pixels along the rows, of the blur of one point."""
    point = torch.zeros(1, 3, 31, 31)
    point[:, :, 15, 15] = 1
    blurred = Augment(["gaussian_blur"], strengths={"gaussian_blur": {"sigma": sigma}})(point, seeded())
    return ((torch.arange(31) - 15) ** 2 * blurred[0, 0].sum(0)).sum().item()


@given(st.lists(st.floats(0.5, 5), min_size=2, max_size=2).map(sorted))
def test_more_sigma_is_more_blur_in_a_kernel_wide_enough(sigmas: list[float]) -> None:
    less, more = map(spread, sigmas)
    assert less <= more * (1 + 1e-5)
    for sigma, variance in zip(sigmas, (less, more), strict=True):
        # A Gaussian that is cut off at two standard deviations keeps 77 % of its variance.
        assert 0.77 * sigma**2 <= variance <= sigma**2 * (1 + 1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["one", "compose"])
def test_gpu_gives_the_views_of_the_cpu_without_waiting(mode: str, images: Tensor) -> None:
    names = [name for name in AUGMENTATIONS if name != "affine"]  # a nearest pixel may be another one there
    augment = Augment(names, mode=mode)  # type: ignore[arg-type]
    on_device = images.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        views = augment(on_device, seeded())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(views.cpu(), augment(images, seeded()), rtol=0, atol=1e-4)
