"""Image files of all kinds that people have, as squares of one size."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps

from dcodr.data.sources.images import Images, Progress, in_chunks
from dcodr.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that may be opened; Pillow would run an external program for some others."""
LARGE = 20_000_000
"""Pixels above which images are decoded one at a time, so that a few of them do not fill the memory."""
CHUNK_BYTES = 64 * 2**20
"""Most bytes of images that are passed on together, where an image is not larger."""


def squares(
    paths: Sequence[Path],
    size: int,
    complain: Callable[[int, str], UserError],
    warn: Callable[[str], object],
    on_progress: Progress | None = None,
) -> Iterator[Images]:
    """Read images in order, a few at a time.

    An image is turned upright by its EXIF tag, laid over white where it is transparent, cropped to the
    largest square in its middle and resized by Lanczos resampling. Of several frames the first one counts.

    Args:
        paths: The files.
        size: Height and width to resize to, in pixels.
        complain: Makes the error for a position in ``paths`` and a message.
        warn: Told once if a file has several frames.
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
        # Decoders report a damaged file by whatever the damage leads to.
        except Exception as error:
            raise complain(row, f"{path} is not an image that can be read ({error})") from error

    chunks = in_chunks(range(len(paths)), read, on_progress, max(1, min(1024, CHUNK_BYTES // (3 * size**2))))
    said = False
    while True:
        with warnings.catch_warnings():  # of Pillow's about large images, which are refused above its limit
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            chunk = next(chunks, None)
        if several and not said:
            said = True
            warn(f"{several[0]} has several frames: of this and any other such file the first one is read")
        if chunk is None:
            return
        yield chunk


def _square(path: Path, size: int, alone: Lock, several: list[Path]) -> Images:
    with Image.open(path, formats=FORMATS) as file, alone if _is_large(file) else nullcontext():
        if file.mode[0] in "IF":
            raise ValueError(f"pixels of mode {file.mode}: convert it to 8 bits a channel")
        # A phone's JPEG file may have a second frame, which is a preview or a map of depths.
        if getattr(file, "is_animated", False) and file.format != "MPO":
            several.append(path)
        file.draft("RGB", (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
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
