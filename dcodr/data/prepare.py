"""Preparation of a store from raw files: read, split, write."""

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import DatasetSpec, stratified_split
from dcodr.data.store import write_store

Progress = Callable[[int, int], None]
"""Called with the number of finished images and the number of all images."""


def prepare_synthetic(
    path: Path, n_images: int = 6000, seed: int = 0, on_progress: Progress | None = None
) -> None:
    """Render the embedded dataset. Several processes may do so at once: each writes the same complete file.

    Args:
        path: The store to write, or to replace.
        n_images: Number of different scenes.
        seed: Seed of the scenes and of the splits.
        on_progress: Called as images are rendered.

    Raises:
        UserError: If there are too few scenes, or the file cannot be written.
    """
    from dcodr.data.sources.synthetic import SYNTHETIC, synthetic

    def report(done: int) -> None:
        if on_progress:
            on_progress(done, n_images)

    images, domain, attributes = synthetic(n_images, seed, report)
    _write(path, SYNTHETIC, images, domain, attributes, seed, "rendered by dcodr.data.sources.synthetic")


def prepare_cars3d(path: Path, raw_dir: Path, seed: int = 0, on_progress: Progress | None = None) -> None:
    """Read the original Cars3D files.

    Args:
        path: The store to write, or to replace.
        raw_dir: Folder of ``car_001_mesh.mat`` and so on.
        seed: Seed of the splits.
        on_progress: Called as images are read.

    Raises:
        UserError: If a file is not as published, or the store cannot be written.
    """
    from dcodr.data.sources.cars3d import CARS3D, read_cars3d

    images, domain, attributes = read_cars3d(raw_dir, on_progress)
    source = "car_*_mesh.mat, averaged from 128 x 128 to 64 x 64"
    _write(path, CARS3D, images, domain, attributes, seed, source)


def prepare_smallnorb(path: Path, raw_dir: Path, seed: int = 0, on_progress: Progress | None = None) -> None:
    """Read the original SmallNORB files.

    Args:
        path: The store to write, or to replace.
        raw_dir: Folder of the ``smallnorb-5x...mat`` files, training and testing; ``.mat.gz`` works too.
        seed: Seed of the splits.
        on_progress: Called as images are read.

    Raises:
        UserError: If a file is not as published, or the store cannot be written.
    """
    from dcodr.data.sources.smallnorb import SMALLNORB, read_smallnorb

    images, domain, attributes = read_smallnorb(raw_dir, on_progress)
    source = "smallnorb-5x*.mat, left images, averaged from 96 x 96 to 64 x 64"
    _write(path, SMALLNORB, images, domain, attributes, seed, source)


def prepare_shapes3d(
    path: Path,
    raw_dir: Path,
    n_images: int = 62_500,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> None:
    """Draw images from the original Shapes3D file.

    Args:
        path: The store to write, or to replace.
        raw_dir: Folder of ``3dshapes.h5``.
        n_images: Number of images to draw, up to all 480,000. At most 50,000 of them are for training, as in
            the paper, and 6,250 for validation; the others are for testing.
        seed: Seed of the draw and of the splits.
        on_progress: Called as images are read.

    Raises:
        UserError: If the file is not as published, or the store cannot be written.
    """
    from dcodr.data.sources.shapes3d import SHAPES3D, read_shapes3d, split_fractions

    images, domain, attributes = read_shapes3d(raw_dir, n_images, seed, on_progress)
    split = stratified_split(domain, seed, split_fractions(n_images))
    _write(path, SHAPES3D, images, domain, attributes, seed, f"3dshapes.h5, {n_images} images drawn", split)


def prepare_celeba(path: Path, raw_dir: Path, seed: int = 0, on_progress: Progress | None = None) -> None:
    """Read the people of CelebA who have at least 20 training images.

    Args:
        path: The store to write, or to replace.
        raw_dir: Folder of ``img_align_celeba/``, ``identity_CelebA.txt`` and
            ``list_landmarks_align_celeba.txt``.
        seed: Seed of the splits.
        on_progress: Called as images are read.

    Raises:
        UserError: If a file is not as published, or the store cannot be written.
    """
    from dcodr.data.sources.celeba import CELEBA, MIN_TRAINING, read_celeba

    images, domain, attributes, split = read_celeba(raw_dir, seed, on_progress)
    source = (
        f"img_align_celeba, middle 128 x 128 averaged to 64 x 64, people of {MIN_TRAINING} training images"
    )
    _write(path, CELEBA, images, domain, attributes, seed, source, split)


def prepare_edges2shoes(
    path: Path, raw_dir: Path, seed: int = 0, on_progress: Progress | None = None
) -> None:
    """Read the pairs of Edges2Shoes, with labels of UT-Zappos50K.

    Args:
        path: The store to write, or to replace.
        raw_dir: Folder of ``edges2shoes/``, ``ut-zap50k-data/`` and ``ut-zap50k-images-square/``.
        seed: Seed of the splits.
        on_progress: Called as images are read, after the photos are matched.

    Raises:
        UserError: If a file is not as published, or the store cannot be written.
    """
    from dcodr.data.sources.edges2shoes import read_edges2shoes

    spec, images, domain, attributes = read_edges2shoes(raw_dir, on_progress)
    source = "edges2shoes, averaged to 64 x 64; labels of the closest photo of ut-zap50k-images-square"
    _write(path, spec, images, domain, attributes, seed, source)


def prepare_folder(
    path: Path,
    csv_path: Path,
    name: str,
    root: Path | None = None,
    image_size: int = 64,
    continuous: Collection[str] = (),
    seed: int = 0,
    on_progress: Progress | None = None,
    *,
    categorical: Collection[str] = (),
    warn: Callable[[str], object] = warnings.warn,
) -> None:
    """Read a user's own images and labels.

    Args:
        path: The store to write, or to replace.
        csv_path: The labels; see ``dcodr.data.sources.folder``.
        name: The dataset's name.
        root: Folder that the paths in the CSV are relative to; by default the CSV's own.
        image_size: Height and width to resize images to, in pixels.
        continuous: Attributes to take as continuous though their values are all integers.
        seed: Seed of the splits.
        on_progress: Called as images are read.
        categorical: Attributes to take as categorical though their values are numbers.
        warn: Called with a message about columns of doubtful type, and about images with several frames.

    Raises:
        UserError: If a label or an image cannot be used, or the store cannot be written.
    """
    from dcodr.data.sources.folder import read_folder

    spec, images, domain, attributes = read_folder(
        csv_path, name, root, image_size, continuous, on_progress, categorical=categorical, warn=warn
    )
    source = f"{csv_path.name}, centre squares resized to {image_size} x {image_size}"
    _write(path, spec, images, domain, attributes, seed, source)


def _write(
    path: Path,
    spec: DatasetSpec,
    images: npt.NDArray[np.uint8] | Iterable[npt.NDArray[np.uint8]],
    domain: npt.NDArray[np.int64],
    attributes: Mapping[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]],
    seed: int,
    source: str,
    split: npt.NDArray[np.uint8] | None = None,
) -> None:
    """Write a store with its provenance, and with stratified splits unless splits are given."""
    split = stratified_split(domain, seed) if split is None else split
    prepared = datetime.now(UTC).isoformat(timespec="seconds")
    provenance: dict[str, str | int] = {"source": source, "seed": seed, "prepared": prepared}
    write_store(path, spec, images, domain, attributes, split, provenance)
