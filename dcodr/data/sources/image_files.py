"""Image files in all common formats, read as squares of one size."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps

from dcodr.data.dataset import Images
from dcodr.data.sources.images import Progress, in_chunks
from dcodr.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are opened; Pillow would run an external program for some others."""
LARGE = 20_000_000
"""Number of pixels above which images are decoded one at a time, so that they do not fill the memory."""
CHUNK_BYTES = 64 * 2**20
"""Largest size of a chunk of images in bytes, unless a single image is larger."""


def squares(
    paths: Sequence[Path],
    size: int,
    complain: Callable[[int, str], UserError],
    warn: Callable[[str], object],
    on_progress: Progress | None = None,
) -> Iterator[Images]:
    """Read images in order, in chunks.

    An image is turned upright by its EXIF tag, composited over white if it is transparent, cropped to the
    largest central square and resized by Lanczos resampling. Only the first of several frames is read.

    Args:
        paths: The files.
        size: Height and width to resize to, in pixels.
        complain: Makes an error from a position in ``paths`` and a message.
        warn: Called once if a file has several frames.
        on_progress: Called with the number of images read and of all images.

    Yields:
        ``(n, size, size, 3)`` RGB.

    Raises:
        UserError: If an image cannot be read.
    """
    alone = Lock()
    several: list[Path] = []

    def read(row: int) -> Images:
        path = paths[row]
        try:
            return _square(path, size, alone, several)
        except Image.DecompressionBombError:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise complain(
                row, f"{path} has more than the {most:,} pixels that are read: scale it down"
            ) from None
        except MemoryError:
            raise complain(row, f"{path} needs more memory than there is: scale it down") from None
        # A damaged file makes decoders raise many kinds of exceptions.
        except Exception as error:
            raise complain(row, f"{path} is not an image that can be read ({error})") from error

    chunks = in_chunks(range(len(paths)), read, on_progress, max(1, min(1024, CHUNK_BYTES // (3 * size**2))))
    said = False
    while True:
        # Pillow's warning about large images is not needed: `read` refuses those above its limit.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            chunk = next(chunks, None)
        if several and not said:
            said = True
            warn(f"{several[0]} has several frames: only the first frame of such files is read")
        if chunk is None:
            return
        yield chunk


def _square(path: Path, size: int, alone: Lock, several: list[Path]) -> Images:
    with Image.open(path, formats=FORMATS) as file, alone if _is_large(file) else nullcontext():
        # A conversion of these modes (16 bits or more, or floats) to 8 bits could clip pixels.
        if file.mode[0] in "IF":
            raise ValueError(f"pixels of mode {file.mode}: convert it to 8 bits a channel")
        # The second frame in a phone's JPEG file is only a preview or a depth map.
        if getattr(file, "is_animated", False) and file.format != "MPO":
            several.append(path)
        file.draft("RGB", (2 * size, 2 * size))  # decodes a large JPEG at a fraction of its size
        image = ImageOps.exif_transpose(file)
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        square = image.convert("RGB").resize(
            (size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
        )
    return np.asarray(square)


def _is_large(file: Image.Image) -> bool:
    return file.width * file.height > LARGE
