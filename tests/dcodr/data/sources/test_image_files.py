"""One image of every kind, made a square: what its pixels mean, and how it fits."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dcodr.data.dataset import FIT_MODES, FitMode
from dcodr.data.sources.image_files import square

RAMP = np.repeat(np.arange(0, 256, dtype=np.uint16)[None, ::4], 64, axis=0)
"""Gray values from black to almost white, of 8 bits."""
DEEP = (RAMP * 256 + 37).astype(np.uint16)
"""The same of 16 bits, with other lower bits."""


def content(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gray(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)


def tiff12(values: npt.NDArray[Any]) -> bytes:
    """A TIFF file of two 12-bit values in every three bytes; Pillow reads such files, but writes none."""
    even, odd = values[:, ::2].astype(np.int64), values[:, 1::2].astype(np.int64)
    packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=-1).astype(np.uint8).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(packed))
        + packed
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


PLAIN = {
    "1": content(Image.fromarray(RAMP > 127), "PNG"),
    "L": content(Image.fromarray(RAMP.astype(np.uint8)), "PNG"),
    "L, TIFF": content(Image.fromarray(RAMP.astype(np.uint8)), "TIFF"),
    "L, white is zero": content(Image.fromarray(RAMP.astype(np.uint8)), "TIFF", tiffinfo={262: 0}),
    "L, PGM": content(Image.fromarray(RAMP.astype(np.uint8)), "PPM"),
    "LA": content(Image.fromarray(RAMP.astype(np.uint8)).convert("LA"), "PNG"),
    "P": content(Image.fromarray(RAMP.astype(np.uint8)).convert("P"), "PNG"),
    "RGB": content(Image.fromarray(RAMP.astype(np.uint8)).convert("RGB"), "PNG"),
    "RGBA": content(Image.fromarray(RAMP.astype(np.uint8)).convert("RGBA"), "PNG"),
    "CMYK": content(Image.fromarray(RAMP.astype(np.uint8)).convert("CMYK"), "TIFF"),
    "16 bits, PNG": content(Image.fromarray(DEEP), "PNG"),
    "16 bits, TIFF": content(Image.fromarray(DEEP), "TIFF"),
    "16 bits, big-endian TIFF": content(
        Image.frombytes("I;16B", (64, 64), DEEP.astype(">u2").tobytes()), "TIFF"
    ),
    "16 bits, white is zero": content(Image.fromarray(65535 - DEEP), "TIFF", tiffinfo={262: 0}),
    "16 bits, PGM": content(Image.fromarray(DEEP), "PPM"),
    "12 bits, TIFF": tiff12(RAMP * 16 + 5),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_gray_keeps_one_meaning_in_all_files(kind: str) -> None:
    """Black is 0, white 255, and what is between keeps its place, in whatever mode the file stores it."""
    expected = gray(np.where(RAMP > 127, 255, 0) if kind == "1" else RAMP)
    pixels = square(PLAIN[kind], 64, "crop")
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


def test_sixteen_bits_reach_from_black_to_white_and_are_never_clipped() -> None:
    ends = np.full((16, 32), 65535, np.uint16)
    ends[:, :16] = 0
    pixels = square(content(Image.fromarray(ends), "PNG"), 32, "stretch")
    assert (pixels[:, 0] == 0).all()
    assert (pixels[:, -1] == 255).all()
    # A dark image stays dark: no image is stretched to its own range.
    assert square(content(Image.fromarray(np.full((16, 16), 257, np.uint16)), "PNG"), 16, "crop").max() == 1


def test_half_transparent_gray_lies_over_white() -> None:
    image = Image.fromarray(RAMP.astype(np.uint8)).convert("LA")
    image.putalpha(128)
    expected = RAMP * (128 / 255) + 255 * (127 / 255)
    difference = square(content(image, "PNG"), 64, "crop").astype(float) - gray(expected)
    assert np.abs(difference).max() <= 1


def test_gray_of_sixteen_bits_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = square(content(Image.fromarray(DEEP), "PNG", exif=exif), 64, "crop")
    np.testing.assert_array_equal(pixels, gray(np.rot90(RAMP, -1)))


def test_twelve_bits_stored_as_sixteen_are_noted() -> None:
    notes: list[str] = []
    square(content(Image.fromarray((DEEP >> 4).astype(np.uint16)), "PNG"), 64, "crop", note=notes.append)
    assert len(notes) == 1
    assert "up to 4,034 of 65,535, and is read as nearly black" in notes[0]
    for kind in ("16 bits, PNG", "12 bits, TIFF", "L"):
        square(PLAIN[kind], 64, "crop", note=pytest.fail)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_values_without_a_known_white_are_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match="convert it to 8 or 16 bits a channel"):
        square(content(Image.fromarray(DEEP.astype(dtype)), "TIFF"), 16, "crop")


def test_a_transparent_value_of_sixteen_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="16-bit gray with a transparent value"):
        square(content(Image.fromarray(DEEP), "PNG", transparency=37), 16, "crop")


def rectangle(width: int, height: int) -> Image.Image:
    """A red left, a green middle and a blue right part of a wide image; top to bottom in a high one."""
    image = Image.new("RGB", (width, height), "green")
    across = width > height
    image.paste("red", (0, 0, width // 4, height) if across else (0, 0, width, height // 4))
    image.paste("blue", (3 * width // 4, 0, width, height) if across else (0, 3 * height // 4, width, height))
    return image


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize(
    ("fit", "line", "beside"),
    [
        ("crop", [GREEN] * 4, [GREEN] * 4),
        ("stretch", [RED, GREEN, GREEN, BLUE], [GREEN] * 4),
        ("pad", [RED, GREEN, GREEN, BLUE], [WHITE, GREEN, GREEN, WHITE]),
    ],
)
def test_rectangles_are_cropped_padded_or_stretched(
    fit: FitMode, line: list[Any], beside: list[Any], across: bool
) -> None:
    image = rectangle(128, 64) if across else rectangle(64, 128)
    pixels = square(content(image, "PNG"), 64, fit)
    along = pixels if across else pixels.transpose(1, 0, 2)
    np.testing.assert_array_equal(along[32, [4, 28, 36, 60]], line)
    np.testing.assert_array_equal(along[[4, 28, 36, 60], 32], beside)


@pytest.mark.parametrize("fit", FIT_MODES)
def test_squares_are_the_same_in_every_fit(fit: FitMode) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    expected = Image.fromarray(noise).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(
        square(content(Image.fromarray(noise), "PNG"), 32, fit), np.asarray(expected)
    )


@pytest.mark.parametrize("size", [(1000, 1), (1, 1000)])
def test_a_line_is_padded_to_a_square(size: tuple[int, int]) -> None:
    pixels = square(Image.new("RGB", size, "black"), 16, "pad")
    assert (pixels == 0).all(axis=2).sum() == 16
    assert (pixels == 255).all(axis=2).sum() == 15 * 16


def test_a_path_its_content_and_the_image_itself_are_the_same(tmp_path: Path) -> None:
    image = rectangle(90, 50)
    image.save(tmp_path / "a.png")
    of_path, of_content, of_image = (
        square(one, 32, "pad") for one in (tmp_path / "a.png", content(image, "PNG"), image)
    )
    np.testing.assert_array_equal(of_path, of_content)
    np.testing.assert_array_equal(of_path, of_image)
