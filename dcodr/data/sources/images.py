"""Shared code of the readers of published images: scaling, and reading files in chunks."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcodr.data.dataset import Images
from dcodr.errors import UserError

SIZE = 64
"""Height and width of all images of the paper, in pixels."""
CHUNK = 1024

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Number = TypeVar("Number", np.uint8, np.float32)


def scaled(image: Image.Image, box: tuple[int, int, int, int] | None = None, size: int = SIZE) -> Images:
    """Average each block of pixels of an image, or of a box in it, to one pixel.

    Args:
        image: RGB.
        box: Left, top, right and bottom edge in pixels; a square whose side is a multiple of ``size``.
        size: Height and width of the result, in pixels.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    return np.asarray(image.resize((size, size), Image.Resampling.BOX, box=box))


def open_jpeg(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """Open a JPEG file as RGB.

    Args:
        path: The file.
        size: The required width and height, in pixels.

    Raises:
        UserError: If the file cannot be read or has another size.
    """
    try:
        with Image.open(path, formats=("JPEG",)) as file:
            if size and file.size != size:
                found, expected = (f"{width} x {height}" for width, height in (file.size, size))
                raise UserError(f"{path} is {found} pixels; expected {expected}")
            image: Image.Image = file.convert("RGB")
            return image
    except UserError:
        raise
    # A damaged file makes decoders raise many kinds of exceptions.
    except Exception as error:
        raise UserError(f"{path} cannot be read as a JPEG image ({error}): unpack it again") from error


def in_chunks(
    items: Sequence[Item],
    read: Callable[[Item], npt.NDArray[Number]],
    on_progress: Progress | None = None,
    chunk: int = CHUNK,
) -> Iterator[npt.NDArray[Number]]:
    """Read images in threads, in order and in chunks, so that few are in memory.

    Args:
        items: The items to read, such as paths.
        read: Reads one item as an array; all arrays have the same shape.
        on_progress: Called with the number of items read and of all items.
        chunk: Number of items in a chunk.

    Yields:
        ``(chunk, ...)``; the last chunk may be shorter.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(items), chunk):
            yield np.stack(list(pool.map(read, items[start : start + chunk])))
            if on_progress:
                on_progress(min(start + chunk, len(items)), len(items))
