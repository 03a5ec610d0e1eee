"""Embed images with a trained encoder."""

import warnings
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from dcodr.data.sources.images import Progress
from dcodr.embeddings.sources import ImageSource
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from dcodr.evaluation.embed import embed
from dcodr.models.encoder import Encoder
from dcodr.training.trainer import resolve_device
from dcodr.words import counted, option

SMALLEST, LARGEST = 16, 1024
"""Bounds of the height and width that images may be resized to, in pixels."""
NAMED = 20
"""Most unreadable images that a message names."""


def embed_images(
    encoder: Encoder,
    source: ImageSource,
    name: str,
    *,
    image_size: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    skip_unreadable: bool = False,
    on_progress: Progress | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> Embeddings:
    """Compute the codes of images; only a chunk of the images is in memory at a time.

    Args:
        encoder: A trained encoder.
        source: The images.
        name: The encoder's name or path, which is kept with the codes.
        image_size: Height and width to resize images to, 16 to 1024; by default that of the training.
        device: Device of the computation; ``auto`` selects a GPU if there is one.
        skip_unreadable: Leave out images that cannot be read, instead of refusing them together at the end.
        on_progress: Called with the number of images done and of all images.
        warn: Called with a message about images that are left out.

    Raises:
        UserError: If the size is not known or allowed, images cannot be read, a code is not finite, or there
            is no such device.
    """
    size = known_size(encoder, name, image_size)
    fingerprint = encoder.fingerprint()
    encoder = encoder.to(resolve_device(device))
    unreadable: dict[int, str] = {}
    codes = []
    rows = np.arange(source.count)
    for chunk in source.read(rows, size, encoder.fit, on_progress, unreadable.__setitem__):
        # After an unreadable image that ends the command, the others are only read, to name all of that kind.
        if skip_unreadable or not unreadable:
            codes.append(embed(encoder, chunk, np.arange(len(chunk))).cpu().numpy())
    if unreadable and not (skip_unreadable and codes):
        advice = f"; {option('skip-unreadable', True)} leaves them out" if len(unreadable) < len(rows) else ""
        raise UserError(_told(unreadable, len(rows), f"cannot be read{advice}"))
    if unreadable:
        warn(_told(unreadable, len(rows), "cannot be read, left out"))
    whole = np.concatenate(codes)
    if not np.isfinite(whole).all():
        raise UserError(f"{name} makes codes that are not finite: its training has diverged")
    columns = {
        column: [cell for row, cell in enumerate(cells) if row not in unreadable]
        for column, cells in source.columns.items()
    }
    place = str(source.place)
    return Embeddings(whole, columns, place, size, name, encoder.fit, fingerprint, source.fingerprint)


def known_size(encoder: Encoder, name: str, image_size: int | None) -> int:
    """Return the height and width of an encoder's images in pixels.

    Args:
        encoder: The encoder.
        name: Its name, for messages.
        image_size: The size that was asked for; ``None`` for that of the training.

    Raises:
        UserError: If the size asked for is not allowed, or there is none and the training's is not known.
    """
    if image_size not in (None, encoder.image_size) and not SMALLEST <= image_size <= LARGEST:
        raise UserError(f"{option('image-size', image_size)}: should be {SMALLEST} to {LARGEST} pixels")
    size = image_size or encoder.image_size
    if size is None:
        raise UserError(
            f"{name} was written by an earlier version, which did not record the size of the images it was "
            f"trained on: give it, e.g. {option('image-size', 64)}"
        )
    return size


def _told(unreadable: Mapping[int, str], count: int, what: str) -> str:
    """Name unreadable images, one a line."""
    lines = [f"{counted(len(unreadable), 'image')} of {count:,} {what}:"]
    lines += [unreadable[row] for row in sorted(unreadable)[:NAMED]]
    return "\n".join(lines + [f"and {len(unreadable) - NAMED:,} more"] * (len(unreadable) > NAMED))
