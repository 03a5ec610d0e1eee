"""Shapes3D (Burgess & Kim 2018, https://github.com/google-deepmind/3d-shapes): 480,000 rendered scenes.

The published ``3dshapes.h5`` holds ``images`` (480000, 64, 64, 3) uint8 and ``labels`` (480000, 6) float64,
one column for each of ``FACTORS``, in order.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import Attribute, DatasetSpec, Images, RawDataset, stratified_split
from dcodr.data.sources.images import SIZE, Progress
from dcodr.errors import UserError

FILE = "3dshapes.h5"
N_IMAGES = 480_000
N_TRAIN, N_VALIDATION = 50_000, 6_250
"""Largest number of images for training, the same as in the paper, and for validation."""
MAX_ROWS = 16_384
"""Largest number of rows that are decompressed together; they take 200 MB."""

FACTORS: dict[str, npt.NDArray[np.float64]] = {
    "floor_hue": np.arange(10) / 10,
    "wall_hue": np.arange(10) / 10,
    "object_hue": np.arange(10) / 10,
    "scale": np.linspace(0.75, 1.25, 8),
    "shape": np.arange(4.0),
    "orientation": np.linspace(-30, 30, 15),
}
"""The published values of each factor. The class id is the position of the value."""

SHAPES3D = DatasetSpec(
    name="shapes3d",
    domain="shape",
    attributes=tuple(
        Attribute(name, len(values), cyclic=name.endswith("_hue"))
        for name, values in FACTORS.items()
        if name != "shape"
    ),
)
"""Hues are cyclic, in steps of a tenth of the circle."""


def read_shapes3d(
    raw_dir: Path, n_images: int, seed: int = 0, on_progress: Progress | None = None
) -> RawDataset:
    """Draw images without replacement, and read only these.

    Args:
        raw_dir: Folder of ``3dshapes.h5``.
        n_images: Number of images to draw. At most 50,000 of them are for training, as in the paper, and
            6,250 for validation; the others are for testing.
        seed: Seed of the draw and of the splits.
        on_progress: Called with the number of images read and of all images to read.

    Returns:
        Images in chunks ``(n, 64, 64, 3)``; a domain is the class of the shape; with splits.

    Raises:
        UserError: If the file is missing, is not as published, or has fewer images.
    """
    path = raw_dir / FILE
    with _open(path) as file:
        n_stored = len(_dataset(path, file, "images", np.uint8, (SIZE, SIZE, 3)))
        labels = _dataset(path, file, "labels", np.float64, (len(FACTORS),))
        if len(labels) != n_stored or n_stored > N_IMAGES:
            raise UserError(f"{path}: {len(labels)} labels for {n_stored} images: download it again")
        try:
            labels = labels[...]
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path} is damaged ({error}): download it again") from error
    if n_images > n_stored:
        raise UserError(f"cannot draw {n_images} images: {path} has {n_stored}; ask for fewer")
    # Sorted, so that the images can be read in the order of the file.
    drawn = np.sort(np.random.default_rng(seed).choice(n_stored, n_images, replace=False))
    classes = {
        name: _classes(path, name, column, drawn)
        for name, column in zip(FACTORS, labels[drawn].T, strict=True)
    }
    shape = classes.pop("shape")
    split = stratified_split(shape, seed, split_fractions(n_images))
    images = _images(path, drawn, on_progress)
    return RawDataset(SHAPES3D, images, shape, classes, f"{FILE}, {n_images} images drawn", split)


def split_fractions(n_images: int) -> tuple[float, float, float]:
    """Return the shares of train, validation and test: 8 to 1 to 1, up to the paper's 50,000 for training.

    All further images are for testing, so that retrieval has the paper's gallery.
    """
    n_test = n_images - N_TRAIN - N_VALIDATION
    if n_test <= N_VALIDATION:
        return 0.8, 0.1, 0.1
    return N_TRAIN / n_images, N_VALIDATION / n_images, n_test / n_images


def _images(path: Path, drawn: npt.NDArray[np.int64], on_progress: Progress | None) -> Iterator[Images]:
    """Read the drawn images in the file's own blocks of rows, so that each is decompressed only once."""
    with _open(path) as file:
        images = file["images"]
        n_rows = min(images.chunks[0], MAX_ROWS) if images.chunks else 1
        block = drawn // n_rows
        done = 0
        for members in np.split(drawn, np.flatnonzero(np.diff(block)) + 1):
            first, last = int(members[0]), int(members[-1])
            try:
                yield images[first : last + 1][members - first]
            except (OSError, RuntimeError, MemoryError) as error:
                raise UserError(f"{path} is damaged ({error}): download it again") from error
            done += len(members)
            if on_progress:
                on_progress(done, len(drawn))


def _classes(
    path: Path, name: str, values: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    known = FACTORS[name]
    nearest: npt.NDArray[np.int64] = np.abs(values[:, None] - known).argmin(axis=1)
    wrong = ~np.isclose(values, known[nearest])
    if wrong.any():
        first = int(wrong.argmax())
        raise UserError(
            f"{path}, labels, row {rows[first]}: {name} {values[first]}; "
            f"expected one of {', '.join(f'{value:.4g}' for value in known)}"
        )
    return nearest


def _open(path: Path) -> Any:
    import h5py  # here, because the command line imports this file for its table of datasets

    if not path.is_file():
        raise UserError(f"no {path}: give the folder of {FILE}, as published")
    try:
        return h5py.File(path, "r")
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"{path} cannot be read as HDF5 ({error}): download it again") from error


def _dataset(path: Path, file: Any, name: str, dtype: type, row: tuple[int, ...]) -> Any:
    from dcodr.data.layout import own_dataset

    dataset = own_dataset(file, name)
    if dataset is None:
        raise UserError(f"{path} has no {name}: expected the file as published")
    if dataset.dtype != dtype or dataset.shape[1:] != row:
        raise UserError(
            f"{path}: {name} is {dataset.dtype} of shape {dataset.shape}; "
            f"expected {np.dtype(dtype)} of shape {('N', *row)}"
        )
    return dataset
