"""Embed images with a trained encoder."""

from typing import Literal

import numpy as np

from dcodr.data.sources.images import Progress
from dcodr.embeddings.sources import ImageSource
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from dcodr.evaluation.embed import embed
from dcodr.models.encoder import Encoder
from dcodr.training.trainer import resolve_device


def embed_images(
    encoder: Encoder,
    source: ImageSource,
    name: str,
    *,
    image_size: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    on_progress: Progress | None = None,
) -> Embeddings:
    """Compute the codes of images; only a chunk of the images is in memory at a time.

    Args:
        encoder: A trained encoder.
        source: The images.
        name: The encoder's name or path, which is kept with the codes.
        image_size: Height and width to resize images to; by default that of the training.
        device: Device of the computation; ``auto`` selects a GPU if there is one.
        on_progress: Called with the number of images done and of all images.

    Raises:
        UserError: If the size of the training is not known, an image cannot be read, a code is not finite, or
            there is no such device.
    """
    size = image_size or encoder.image_size
    if size is None:
        raise UserError(
            f"{name} was written by an earlier version, which did not record the size of the images it was "
            "trained on: give it with --image-size, e.g. 64"
        )
    encoder = encoder.to(resolve_device(device))
    rows = np.arange(source.count)
    codes = [
        embed(encoder, chunk, np.arange(len(chunk))).cpu().numpy()
        for chunk in source.read(rows, size, encoder.fit, on_progress)
    ]
    whole = np.concatenate(codes)
    if not np.isfinite(whole).all():
        raise UserError(f"{name} makes codes that are not finite: its training has diverged")
    return Embeddings(whole, source.columns, str(source.place), size, name, encoder.fit)
