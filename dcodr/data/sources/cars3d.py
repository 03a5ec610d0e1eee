"""Cars3D (Reed et al., "Deep Visual Analogy-Making", NIPS 2015): 183 cars, each from 24 x 4 directions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import Attribute, DatasetSpec, Images, RawDataset
from dcodr.data.sources.images import SIZE, Progress
from dcodr.errors import UserError

N_AZIMUTHS = 24
N_ELEVATIONS = 4
N_POSES = N_AZIMUTHS * N_ELEVATIONS
RAW_SHAPE = (128, 128, 3, N_AZIMUTHS, N_ELEVATIONS)

CARS3D = DatasetSpec(
    name="cars3d",
    domain="car",
    attributes=(
        Attribute("azimuth", N_AZIMUTHS, cyclic=True),
        Attribute("elevation", N_ELEVATIONS),
        Attribute("pose", N_POSES, derived=True),
    ),
)
"""Azimuth is cyclic in steps of 15 degrees; elevation goes from 0 to 18 degrees in steps of 6. ``pose``
combines both, ``elevation * 24 + azimuth``: the only factor in the paper's tables, derived from the two."""


def read_cars3d(raw_dir: Path, on_progress: Progress | None = None) -> RawDataset:
    """Read the original MATLAB files, at half the image size.

    Args:
        raw_dir: Folder of ``car_001_mesh.mat`` to ``car_183_mesh.mat``; some may be missing.
        on_progress: Called with the number of images read and of all images.

    Returns:
        Images in chunks ``(96, 64, 64, 3)``; a domain is the number of the car.

    Raises:
        UserError: If there are no such files, or one is not as published. A file is checked when it is read.
    """
    files = sorted(raw_dir.glob("car_*_mesh.mat"))
    if not files:
        raise UserError(f"no car_*_mesh.mat in {raw_dir}: give the folder of the original Cars3D files")
    cars = [_number(file) for file in files]
    pose = np.tile(np.arange(N_POSES), len(files))
    attributes = {"azimuth": pose % N_AZIMUTHS, "elevation": pose // N_AZIMUTHS, "pose": pose}
    source = "car_*_mesh.mat, averaged from 128 x 128 to 64 x 64"
    return RawDataset(CARS3D, _images(files, on_progress), np.repeat(cars, N_POSES), attributes, source)


def _images(files: list[Path], on_progress: Progress | None) -> Iterator[Images]:
    for done, file in enumerate(files, start=1):
        yield _read_car(file)
        if on_progress:
            on_progress(done * N_POSES, len(files) * N_POSES)


def halve(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average each 2 x 2 block of pixels; round half up.

    Args:
        images: ``(..., H, W)`` with even H and W.

    Returns:
        ``(..., H/2, W/2)``.
    """
    rows = images[..., 0::2, :].astype(np.uint16) + images[..., 1::2, :]
    sums = rows[..., 0::2] + rows[..., 1::2]
    return ((sums + 2) >> 2).astype(np.uint8)


def _number(file: Path) -> int:
    number = file.name.removeprefix("car_").removesuffix("_mesh.mat")
    if not number.isdecimal():
        raise UserError(
            f"{file}: {number!r} is not the number of a car; expected a name like car_001_mesh.mat"
        )
    return int(number)


def _read_car(file: Path) -> npt.NDArray[np.uint8]:
    """Read ``(96, 64, 64, 3)`` images of one car; azimuth varies fastest."""
    image = _load(file)
    if image is None or image.dtype != np.uint8 or image.shape != RAW_SHAPE:
        found = "nothing" if image is None else f"{image.dtype} of shape {image.shape}"
        raise UserError(f"{file}: expected 'im', uint8 of shape {RAW_SHAPE}; found {found}")
    # MATLAB stores arrays in column-major order, so the transpose is contiguous: elevation, azimuth, channel,
    # column, row.
    columns = halve(image.T).reshape(N_POSES, 3, SIZE, SIZE)
    return np.transpose(columns, (0, 3, 2, 1))


def _load(file: Path) -> npt.NDArray[Any] | None:
    from scipy.io import loadmat

    try:
        content: dict[str, npt.NDArray[Any]] = loadmat(file, variable_names=["im"])
    # A damaged file makes scipy raise many kinds of exceptions, even zlib.error and MemoryError.
    except Exception as error:
        raise UserError(f"{file} cannot be read as a MATLAB file ({error}): download it again") from error
    return content.get("im")
