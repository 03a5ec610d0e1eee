"""Preparation of a store from a dataset as its reader returns it: split, write."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dcodr.data.dataset import RawDataset, stratified_split
from dcodr.data.resume import write_resumably
from dcodr.data.sources.images import Progress
from dcodr.data.sources.squares import Squares
from dcodr.data.sources.synthetic import N_IMAGES, read_synthetic
from dcodr.data.store import checked, write_store


def prepare(
    path: Path, raw: RawDataset, seed: int = 0, say: Callable[[str], object] = lambda _: None
) -> None:
    """Write a store with its provenance; the seed is that of the splits and of what else was drawn.

    A user's own images are written so that the same call continues after an interruption; see
    :func:`dcodr.data.resume.write_resumably`. ``say`` is called with a message if an interrupted preparation
    is continued or replaced.

    Raises:
        UserError: If an image or a label cannot be used, or the store cannot be written.
    """
    split = stratified_split(raw.domain, seed) if raw.split is None else raw.split
    prepared = datetime.now(UTC).isoformat(timespec="seconds")
    provenance: dict[str, str | int] = {"source": raw.source, "seed": seed, **raw.notes, "prepared": prepared}
    if isinstance(raw.images, Squares) and raw.images.identity:
        content = checked(raw.spec, raw.domain, raw.attributes, split, provenance)
        write_resumably(path, content, raw.images, say)
    else:
        write_store(path, raw.spec, raw.images, raw.domain, raw.attributes, split, provenance)


def prepare_synthetic(
    path: Path, n_images: int = N_IMAGES, seed: int = 0, on_progress: Progress | None = None
) -> None:
    """Render the embedded dataset. Several processes may do so at once: each writes the same complete file.

    Raises:
        UserError: If there are too few scenes, or the file cannot be written.
    """
    prepare(path, read_synthetic(n_images, seed, on_progress), seed)
