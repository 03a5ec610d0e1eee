"""SmallNORB (LeCun, Huang & Bottou, CVPR 2004): 50 toys under 9 elevations, 18 azimuths and 6 lightings.

The published binary files (https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/) are little-endian. They hold a
magic number for the type, the number of dimensions, the dimensions (at least three are written), and the
data. ``dat`` holds stereo pairs, ``cat`` their category, and ``info`` their instance, elevation, azimuth and
lighting.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import Attribute, DatasetSpec, Images, RawDataset
from dcodr.data.sources.images import CHUNK, Progress
from dcodr.errors import UserError

CATEGORIES = ("animal", "human", "airplane", "truck", "car")
N_INSTANCES = 10
N_ELEVATIONS, N_AZIMUTHS, N_LIGHTINGS = 9, 18, 6
RAW_SIZE = 96
N_ROWS = len(CATEGORIES) * N_INSTANCES // 2 * N_ELEVATIONS * N_AZIMUTHS * N_LIGHTINGS
"""Rows of each of the two parts, 24,300."""

PARTS = ("smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing")
"""Both parts are read: they hold different instances, and our splits are made within every domain."""

UINT8, INT32 = (0x1E3D4C55, np.dtype(np.uint8)), (0x1E3D4C54, np.dtype("<i4"))
INFO = {
    "instance": N_INSTANCES,
    "elevation": N_ELEVATIONS,
    "azimuth": 2 * N_AZIMUTHS,
    "lighting": N_LIGHTINGS,
}
"""The columns of ``info``, with the upper bound (exclusive) of each."""

SMALLNORB = DatasetSpec(
    name="smallnorb",
    domain="toy",
    attributes=(
        Attribute("azimuth", N_AZIMUTHS, cyclic=True, margin=3),
        Attribute("elevation", N_ELEVATIONS),
        Attribute("lighting", N_LIGHTINGS),
    ),
    domains=tuple(f"{category} {instance}" for category in CATEGORIES for instance in range(N_INSTANCES)),
)
"""A domain is an instance of a category. Azimuth is cyclic in steps of 20 degrees (the files hold even
numbers, tens of degrees); elevation goes from 30 to 70 degrees in steps of 5. In retrieval an azimuth within
three steps counts as a match (supplement, section 3.2)."""


def read_smallnorb(raw_dir: Path, on_progress: Progress | None = None) -> RawDataset:
    """Read the left image of each stereo pair from the original files.

    The right image shows the same scene from a few centimetres away. It would be a near copy, often in
    another split.

    Args:
        raw_dir: Folder of the six ``smallnorb-5x...mat`` files, or of the published ``.mat.gz`` files.
        on_progress: Called with the number of images read and of all images.

    Returns:
        Images in chunks ``(<= 1024, 64, 64, 3)``; a domain is a position in ``SMALLNORB.domains``.

    Raises:
        UserError: If a file is missing or not as published. Image data are checked when they are read.
    """
    category, info = (np.concatenate(part) for part in zip(*map(_labels, _files(raw_dir)), strict=True))
    instance, elevation, azimuth, lighting = info.T
    attributes = {"azimuth": azimuth // 2, "elevation": elevation, "lighting": lighting}
    images = _images(raw_dir, len(info), on_progress)
    source = "smallnorb-5x*.mat, left images, averaged from 96 x 96 to 64 x 64"
    return RawDataset(SMALLNORB, images, category * N_INSTANCES + instance, attributes, source)


def thirds(images: Images) -> Images:
    """Scale images to two thirds of their size by averaging areas; round half up.

    Args:
        images: ``(n, H, W)`` with H and W multiples of 3.

    Returns:
        ``(n, 2H/3, 2W/3)``.
    """
    n, height, width = images.shape
    # Three pixels become two: (2a + b) / 3 and (b + 2c) / 3, first along rows, then along columns. The sums
    # stay below 16 bits; the division by 9 comes last, in doubled numbers, to round half up exactly.
    a, b, c = np.moveaxis(images.reshape(n, height // 3, 3, width).astype(np.uint16), 2, 0)
    rows = np.stack([2 * a + b, b + 2 * c], axis=2).reshape(n, -1, width // 3, 3)
    a, b, c = np.moveaxis(rows, 3, 0)
    sums = np.stack([2 * a + b, b + 2 * c], axis=3).reshape(n, 2 * height // 3, 2 * width // 3)
    return ((2 * sums + 9) // 18).astype(np.uint8)


def _files(raw_dir: Path) -> list[dict[str, Path]]:
    return [{kind: _find(raw_dir, f"{part}-{kind}.mat") for kind in ("dat", "cat", "info")} for part in PARTS]


def _find(raw_dir: Path, name: str) -> Path:
    for path in (raw_dir / name, raw_dir / f"{name}.gz"):
        if path.is_file():
            return path
    raise UserError(f"neither {name} nor {name}.gz is in {raw_dir}: give the folder of the SmallNORB files")


def _labels(files: dict[str, Path]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Read and check the categories ``(n,)`` and the columns of ``INFO`` ``(n, 4)`` of a part."""
    category = _matrix(files["cat"], ())
    info = _matrix(files["info"], (len(INFO),))
    if len(category) != len(info):
        raise UserError(f"{files['info']} has {len(info)} rows; {files['cat']} has {len(category)}")
    _check(files["cat"], category, "category", len(CATEGORIES))
    for column, (name, limit) in zip(info.T, INFO.items(), strict=True):
        _check(files["info"], column, name, limit, step=2 if name == "azimuth" else 1)
    return category, info


def _check(path: Path, values: npt.NDArray[np.int64], name: str, limit: int, step: int = 1) -> None:
    wrong = (values < 0) | (values >= limit) | (values % step != 0)
    if wrong.any():
        row = int(wrong.argmax())
        even = "an even number" if step == 2 else "a number"
        raise UserError(f"{path}, row {row}: {name} {values[row]}; expected {even} in 0..{limit - 1}")


def _matrix(path: Path, row: tuple[int, ...]) -> npt.NDArray[np.int64]:
    with _open(path) as file:
        n_rows = _header(file, path, INT32, row)
        count = n_rows * math.prod(row)
        values = np.frombuffer(_read(file, path, 4 * count), INT32[1]).reshape(n_rows, *row)
        _check_end(file, path)
    return values.astype(np.int64)


def _images(raw_dir: Path, n_images: int, on_progress: Progress | None) -> Iterator[Images]:
    pair = (2, RAW_SIZE, RAW_SIZE)
    done = 0
    for files in _files(raw_dir):
        path = files["dat"]
        with _open(path) as file:
            n_pairs = _header(file, path, UINT8, pair)
            for start in range(0, n_pairs, CHUNK):
                n = min(CHUNK, n_pairs - start)
                raw = _read(file, path, n * math.prod(pair))
                left = np.frombuffer(raw, np.uint8).reshape(n, *pair)[:, 0]
                # Stores hold RGB images, so the gray channel is repeated.
                yield np.repeat(thirds(left)[..., None], 3, axis=-1)
                done += n
                if on_progress:
                    on_progress(done, n_images)
            _check_end(file, path)


def _open(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _header(file: BinaryIO, path: Path, kind: tuple[int, np.dtype[np.generic]], row: tuple[int, ...]) -> int:
    """Read the header, check the type and shape of a row, and return the number of rows."""
    magic, dtype = kind
    found, n_dims = np.frombuffer(_read(file, path, 8), INT32[1])
    if found != magic or not 1 <= n_dims <= 8:
        raise UserError(
            f"{path}: begins with {found:#010x}, {n_dims}; expected {magic:#010x} of {dtype} data"
        )
    shape = np.frombuffer(_read(file, path, 4 * max(3, n_dims)), INT32[1])[:n_dims].tolist()
    if tuple(shape[1:]) != row or not 0 <= shape[0] <= N_ROWS:
        raise UserError(
            f"{path}: data of shape {tuple(shape)}; expected {('N', *row)}, N at most {N_ROWS} as published"
        )
    return int(shape[0])


def _read(file: BinaryIO, path: Path, n_bytes: int) -> bytes:
    data = _up_to(file, path, n_bytes)
    if len(data) < n_bytes:
        raise UserError(f"{path} ends too early: download it again")
    return data


def _up_to(file: BinaryIO, path: Path, n_bytes: int) -> bytes:
    try:
        return file.read(n_bytes)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}): download it again") from error


def _check_end(file: BinaryIO, path: Path) -> None:
    if _up_to(file, path, 1):
        raise UserError(f"{path} has more data than its header says: download it again")
