"""Random parameters of the augmentations: their ranges, probabilities and torchvision's distributions."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import Generator, Tensor
from torchvision.transforms import RandomErasing, RandomResizedCrop

from dcodr.augmentations import draws
from dcodr.augmentations.names import STRENGTHS, strengths_of
from dcodr.augmentations.views import TABLE

N = 4000
SHAPE = (N, 64, 64)


@pytest.fixture
def generator() -> Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def _torchvision_seed() -> Iterator[None]:
    """Seed the global generator, the only one that torchvision draws from, and leave it as it was found."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("low_contrast", 0.3, 0.8),
        ("low_brightness", 0.3, 0.8),
        ("affine", -40.0, 40.0),
        ("high_brightness", 1.4, 1.8),
        ("high_contrast", 1.8, 3.0),
        ("high_saturation", 1.8, 3.0),
    ],
)
def test_factor_is_uniform_over_the_papers_range(
    name: str, low: float, high: float, generator: Generator
) -> None:
    draw, _ = TABLE[name](**strengths_of(name, {}))
    (factor,) = draw(SHAPE, generator)
    counts = torch.histc(factor, bins=8, min=low, max=high)
    assert factor.shape == (N,)
    assert counts.sum() == N
    assert ((counts - N / 8) ** 2 / (N / 8)).sum() < 18.5  # chi-square, 7 degrees of freedom, p = 0.01


@pytest.mark.parametrize("name", [name for name, known in STRENGTHS.items() if "low" in known])
@given(data=st.data())
def test_range_is_drawn_from_end_to_end(name: str, data: st.DataObject) -> None:
    bounds = STRENGTHS[name]["low"]
    end = st.floats(bounds.low, bounds.high)
    low, high = sorted((data.draw(end), data.draw(end)))
    draw, _ = TABLE[name](low=low, high=high)
    (number,) = draw((1000, 8, 8), torch.Generator().manual_seed(0))
    size = number.abs()
    rounding, gap = 1e-6 * high, 0.02 * (high - low)
    assert low - rounding <= size.min() <= low + gap + rounding
    assert high - gap - rounding <= size.max() <= high + rounding


@given(degrees=st.floats(0, 180, width=32, allow_subnormal=False))
def test_rotation_is_drawn_from_end_to_end_to_both_sides(degrees: float) -> None:
    draw, _ = TABLE["affine"](degrees=degrees)
    (angle,) = draw((1000, 8, 8), torch.Generator().manual_seed(0))
    assert -degrees * (1 + 1e-6) <= angle.min() <= -0.98 * degrees
    assert 0.98 * degrees <= angle.max() <= degrees * (1 + 1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.5), (0.1, 0.3)])
def test_hue_turns_both_ways_equally(low: float, high: float, generator: Generator) -> None:
    (turn,) = draws.hue_turn(low, high)(SHAPE, generator)
    assert turn.abs().min() >= low
    assert turn.abs().max() <= high
    assert turn.abs().mean().item() == pytest.approx((low + high) / 2, abs=0.005)
    assert (turn > 0).float().mean().item() == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize(("strengths", "expected"), [({}, 1.0), ({"sigma": 2.5}, 2.5)])
def test_blur_has_the_papers_sigma_or_the_given_one(
    strengths: dict[str, float], expected: float, generator: Generator
) -> None:
    draw, _ = TABLE["gaussian_blur"](**strengths_of("gaussian_blur", {"gaussian_blur": strengths}))
    (sigma,) = draw(SHAPE, generator)
    assert torch.equal(sigma, torch.full((N,), expected))


def assert_same_distribution(boxes: Tensor, expected: np.ndarray) -> None:
    ours = boxes.numpy()
    assert ours[:, 2:].prod(1).mean() == pytest.approx(expected[:, 2:].prod(1).mean(), rel=0.03)
    for column in range(4):
        assert ks_2samp(ours[:, column], expected[:, column]).pvalue > 0.01
    assert ks_2samp(ours[:, 2] / ours[:, 3], expected[:, 2] / expected[:, 3]).pvalue > 0.01


def assert_inside(boxes: Tensor, height: int, width: int) -> None:
    assert boxes.dtype == torch.int64
    assert boxes.shape == (N, 4)
    top, left, box_height, box_width = boxes.unbind(1)
    assert min(top.min(), left.min(), box_height.min() - 1, box_width.min() - 1) >= 0
    assert (top + box_height).max() <= height
    assert (left + box_width).max() <= width


@pytest.mark.usefixtures("_torchvision_seed")
@pytest.mark.parametrize("min_scale", [0.05, 0.5])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 64)])
def test_crop_boxes_are_distributed_as_torchvisions(
    height: int, width: int, min_scale: float, generator: Generator
) -> None:
    (boxes,) = draws.crop_boxes(min_scale)((N, height, width), generator)
    assert_inside(boxes, height, width)
    image = torch.empty(3, height, width)
    expected = [RandomResizedCrop.get_params(image, [min_scale, 1.0], [3 / 4, 4 / 3]) for _ in range(N)]
    assert_same_distribution(boxes, np.array(expected))


@pytest.mark.parametrize(("height", "width"), [(64, 8), (8, 64)])
def test_crop_of_a_long_image_falls_back_to_torchvisions_centre(
    height: int, width: int, generator: Generator
) -> None:
    (boxes,) = draws.crop_boxes(min_scale=0.5)((N, height, width), generator)
    expected = RandomResizedCrop.get_params(torch.empty(3, height, width), [0.5, 1.0], [3 / 4, 4 / 3])
    assert (boxes == torch.tensor(expected)).all()


@pytest.mark.usefixtures("_torchvision_seed")
@pytest.mark.parametrize("max_area", [0.1, 0.33, 0.8])
def test_erase_boxes_are_distributed_as_torchvisions(max_area: float, generator: Generator) -> None:
    (boxes,) = draws.erase_boxes(max_area)(SHAPE, generator)
    assert_inside(boxes, 64, 64)
    image = torch.empty(3, 64, 64)
    expected = [RandomErasing.get_params(image, (0.02, max_area), (0.3, 3.3), [0.0])[:4] for _ in range(N)]
    assert_same_distribution(boxes, np.array(expected))


def test_erase_box_is_empty_where_none_fits(generator: Generator) -> None:
    """Only a height of 0 is below that of an image one pixel high, so nothing may be erased."""
    (boxes,) = draws.erase_boxes(0.33)((N, 1, 40), generator)
    assert (boxes[:, 2] * boxes[:, 3] == 0).all()


def test_simsiam_steps_happen_with_their_probabilities(generator: Generator) -> None:
    boxes, mirrored, brightness, contrast, saturation, hue, gray, sigma = draws.simsiam_parameters(
        SHAPE, generator
    )
    assert_inside(boxes, 64, 64)
    assert boxes[:, 2:].prod(1).min() > 0.58 * 64 * 64  # 0.6 but for rounding to pixels
    jittered, blurred = hue != 0, sigma >= 1
    for happened, probability in ((mirrored, 0.5), (jittered, 0.3), (gray, 0.2), (blurred, 0.2)):
        assert happened.float().mean().item() == pytest.approx(probability, abs=0.025)
    for factor in (brightness, contrast, saturation):
        assert torch.equal(factor != 1, jittered)
        assert 0.6 <= factor.min() < 0.61
        assert 1.39 < factor.max() <= 1.4
    assert 0.099 < hue.abs().max() <= 0.1
    assert 1.98 < sigma.max() <= 2
    assert (sigma[~blurred] == 1e-3).all()
    assert (mirrored & jittered & gray & blurred).any()
