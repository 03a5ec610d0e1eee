"""An encoder that prepares images itself, as ``embed`` does with Pillow."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from dcodr.models.encoder import Encoder, Fit
from dcodr.models.image_encoder import ImageEncoder, Square


def pillows(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return the square as ``embed`` makes it."""
    height, width, _ = image.shape
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS, box=box))


def ours(images: npt.NDArray[np.uint8], size: int, fit: Fit = "crop") -> npt.NDArray[np.uint8]:
    squares = Square(size, fit)(torch.from_numpy(images))
    assert squares.shape == (len(images), 3, size, size)
    found: npt.NDArray[np.uint8] = (squares.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    return found


@pytest.mark.parametrize(
    ("height", "width", "size"), [(64, 64, 64), (97, 131, 64), (240, 321, 32), (20, 33, 64), (1, 5, 16)]
)
def test_the_square_is_pillows_to_the_last_bit(height: int, width: int, size: int) -> None:
    rng = np.random.default_rng(height)
    images = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    images[1] = np.where(images[1] > 128, 255, 0)  # edges, beyond which Lanczos resampling overshoots
    for image, square in zip(images, ours(images, size), strict=True):
        np.testing.assert_array_equal(square, pillows(image, size))


@pytest.mark.parametrize(
    ("height", "width", "size"), [(64, 64, 64), (30, 97, 64), (50, 240, 32), (20, 33, 63)]
)
def test_a_padded_and_a_stretched_image_is_pillows_to_the_last_bit(
    height: int, width: int, size: int
) -> None:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stretched = Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(ours(image[None], size, "stretch")[0], np.asarray(stretched))
    shorter = round(height * size / width)
    whole = Image.fromarray(image).resize((size, shorter), Image.Resampling.LANCZOS)
    padded = Image.new("RGB", (size, size), "white")
    padded.paste(whole, (0, (size - shorter) // 2))
    np.testing.assert_array_equal(ours(image[None], size, "pad")[0], np.asarray(padded))


@pytest.mark.parametrize(("height", "width", "size"), [(201, 50, 48), (300, 100, 64), (33, 20, 64)])
def test_a_tall_images_square_is_pillows_to_the_rounding_between_its_passes(
    height: int, width: int, size: int
) -> None:
    rng = np.random.default_rng(height)
    smooth = np.array(
        Image.fromarray(rng.integers(0, 256, (9, 5, 3), dtype=np.uint8)).resize((width, height))
    )
    difference = np.abs(ours(smooth[None], size)[0].astype(int) - pillows(smooth, size))
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.1


def test_images_of_the_trainings_size_are_encoded_as_they_are() -> None:
    torch.manual_seed(0)
    encoder = Encoder("small", 8).eval()
    images = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    codes = ImageEncoder(encoder, 32)(images)
    torch.testing.assert_close(codes, encoder(images.permute(0, 3, 1, 2).float() / 255))
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(3))
