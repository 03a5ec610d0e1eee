"""Image files in all common formats, read as squares of one size."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from dcodr.data.dataset import FitMode, Images

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are opened; Pillow would run an external program for some others."""
LARGE = 20_000_000
"""Number of pixels above which images are decoded one at a time, so that they do not fill the memory."""
PADDING = "white"
"""Colour of the bars of padded images, and behind transparent ones."""
DARK = 2**12
"""A 16-bit image whose values are all below this one was probably recorded with fewer bits."""
_WHITE_IS_ZERO = 0
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF files

Picture: TypeAlias = Path | bytes | Image.Image
"""An image: a file, the content of a file, or an image in memory."""
Note: TypeAlias = Callable[[str], object]


def square(
    picture: Picture,
    size: int,
    fit: FitMode,
    *,
    alone: AbstractContextManager[object] | None = None,
    note: Note = lambda what: None,
) -> Images:
    """Read an image as a square of RGB pixels.

    It is turned upright by its EXIF tag, composited over white if it is transparent, made square and resized
    by Lanczos resampling. Gray values become three equal channels. 16-bit values lose their lower 8 bits, so
    that black and white stay what they are; no image is stretched to its own range. Only the first of
    several frames is read.

    Args:
        picture: The image.
        size: Height and width to resize to, in pixels.
        fit: ``crop`` takes the largest central square, ``pad`` the whole image between white bars,
            ``stretch`` the whole image with its sides scaled differently.
        alone: Is held while a large image is in memory.
        note: Called with what the user should know about the image.

    Returns:
        ``(size, size, 3)``.

    Raises:
        ValueError: If its pixels have a type whose black and white are not known; and what Pillow raises.
    """
    if isinstance(picture, Image.Image):
        return _squared(picture, size, fit, note)
    source = io.BytesIO(picture) if isinstance(picture, bytes) else picture
    with Image.open(source, formats=FORMATS) as file, _turn(file, alone):
        # The second frame in a phone's JPEG file is only a preview or a depth map.
        if getattr(file, "is_animated", False) and file.format != "MPO":
            note("has several frames: only the first frame of such files is read")
        file.draft("RGB", (2 * size, 2 * size))  # decodes a large JPEG at a fraction of its size
        return _squared(file, size, fit, note)


def _turn(file: Image.Image, alone: AbstractContextManager[object] | None) -> AbstractContextManager[object]:
    return alone if alone and file.width * file.height > LARGE else nullcontext()


def _squared(file: Image.Image, size: int, fit: FitMode, note: Note) -> Images:
    bits = _deep_gray_bits(file)
    image = ImageOps.exif_transpose(file)
    if bits:
        image = Image.fromarray(_eight_bits(file, image, bits, note))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, PADDING), image.convert("RGBA"))
    return np.asarray(_fitted(image.convert("RGB"), size, fit))


def _deep_gray_bits(file: Image.Image) -> int:
    """Return the bits of an image of gray values wider than 8 bits, otherwise 0.

    Raises:
        ValueError: If the image has 32-bit or floating-point values, whose black and white are not known, or
            a transparent gray value.
    """
    # Pillow scales the values of a PGM file to 16 bits.
    if not file.mode.startswith("I;16") and (file.mode, file.format) != ("I", "PPM"):
        if file.mode[0] in "IF":
            raise ValueError(f"pixels of mode {file.mode}: convert it to 8 or 16 bits a channel")
        return 0
    if "transparency" in file.info:
        raise ValueError("16-bit gray with a transparent value: convert it to 8 bits a channel")
    tags = getattr(file, "tag_v2", {})
    return int(tags[_BITS][0]) if _BITS in tags else 16


def _eight_bits(file: Image.Image, image: Image.Image, bits: int, note: Note) -> Images:
    """Drop the lower bits of gray values, as Pillow does of 16-bit RGB."""
    values: npt.NDArray[np.int32] = np.asarray(image).astype(np.int32)
    if getattr(file, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts only 8-bit files
        values = 2**bits - 1 - values
    if bits == 16 and values.max() < DARK:
        note(
            f"has 16-bit gray values up to {values.max():,} of 65,535, and is read as nearly black: if fewer "
            "bits were recorded, scale such files up"
        )
    return (values >> (bits - 8)).astype(np.uint8)


def _fitted(image: Image.Image, size: int, fit: FitMode) -> Image.Image:
    lanczos = Image.Resampling.LANCZOS
    if fit == "stretch":
        return image.resize((size, size), lanczos)
    if fit == "pad":
        longer = max(image.size)
        width, height = (max(1, round(side * size / longer)) for side in image.size)
        padded = Image.new("RGB", (size, size), PADDING)
        padded.paste(image.resize((width, height), lanczos), ((size - width) // 2, (size - height) // 2))
        return padded
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return image.resize((size, size), lanczos, box=(left, top, left + side, top + side))
