"""Edges2Shoes (Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017).

Its photos come from UT-Zappos50K (Yu & Grauman, CVPR 2014), which has the labels. The reader needs three
published archives, unpacked in the same folder:

* ``edges2shoes/train/1_AB.jpg`` and so on, ``edges2shoes/val/``: 256 x 512 pixels, edges left, photo right;
* ``ut-zap50k-data/meta-data.csv`` and ``image-path.mat`` with corresponding rows: labels and file names;
* ``ut-zap50k-images-square/``: the photos of these rows.

Edges and photos are reduced to 64 x 64 by averaging. The official script first thickens dark lines by two
dilations of 3 x 3 pixels.

The two pictures of a pair are split independently, as in the official code. So the other picture of four in
five validation and test images is among the training images, with the same labels.

No published file maps the photos of one set to those of the other. As in the official code, each photo gets
the labels of the most similar photo.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcodr.data.dataset import Attribute, DatasetSpec, Images, RawDataset
from dcodr.data.sources.images import SIZE, Progress, in_chunks, open_jpeg, scaled
from dcodr.errors import UserError

PAIRS, METADATA, PHOTOS = "edges2shoes", "ut-zap50k-data", "ut-zap50k-images-square"
SIDE = 256
EDGE, PHOTO = (0, 0, SIDE, SIDE), (SIDE, 0, 2 * SIDE, SIDE)
COLUMNS = {"shoe_type": "Category", "gender": "Gender"}

OTHER = "Other"
RARE = 250
"""Values with at most this many images become ``Other``, as in the official code."""

THUMB = 16
"""Height and width at which photos are compared, in pixels."""
MAX_DIFFERENCE = 12
"""Largest median difference of matched photos, of 255, that compression and scaling can explain. The bound is
ours, not the official code's."""


def read_edges2shoes(raw_dir: Path, on_progress: Progress | None = None) -> RawDataset:
    """Match the photos of both sets and read each pair as two images.

    Args:
        raw_dir: Folder of the three unpacked archives.
        on_progress: Called after the matching, with the number of pairs read and of all pairs.

    Returns:
        Images in chunks ``(<= 2048, 64, 64, 3)``; domain 0 is edges, 1 photos.

    Raises:
        UserError: If a file is missing or not as published, or the two sets do not show the same shoes. Image
            files are checked when their chunk is read.
    """
    pairs = _pairs(raw_dir / PAIRS)
    photos, labels = _zappos(raw_dir)
    shoes = np.concatenate(list(in_chunks(pairs, _pair_thumb)))
    catalogue = np.concatenate(list(in_chunks(photos, _photo_thumb)))
    match = closest(shoes, catalogue)
    difference = float(np.median(np.abs(shoes - catalogue[match]).mean(axis=1)))
    if difference > MAX_DIFFERENCE:
        raise UserError(
            f"{raw_dir}: photos of {PAIRS} differ from the closest of {PHOTOS} by {difference:.1f} of 255 "
            f"(median; at most {MAX_DIFFERENCE} expected): are both unpacked whole?"
        )
    attributes, classes = [], {}
    for name, values in labels.items():
        names, ids = np.unique(common(values), return_inverse=True)
        attributes.append(Attribute(name, len(names), classes=tuple(names.tolist())))
        classes[name] = np.repeat(ids[match], 2)  # a pair gives two images with the same labels
    spec = DatasetSpec("edges2shoes", "kind", tuple(attributes), domains=("edges", "photo"))
    images = (pair.reshape(-1, SIZE, SIZE, 3) for pair in in_chunks(pairs, _pair, on_progress))
    source = f"{PAIRS}, averaged to 64 x 64; labels of the closest photo of {PHOTOS}"
    return RawDataset(spec, images, np.tile(np.arange(2), len(pairs)), classes, source)


def closest(
    queries: npt.NDArray[np.float32], candidates: npt.NDArray[np.float32], block: int = 512
) -> npt.NDArray[np.int64]:
    """Find for each query the candidate at the smallest Euclidean distance.

    Args:
        queries: ``(n, d)``.
        candidates: ``(m, d)``.
        block: Queries compared at a time; ``block * m`` distances are in memory.

    Returns:
        ``(n,)`` positions in ``candidates``.
    """
    # Centring keeps the squares small, so that float32 rounding does not hide small distances.
    mean = candidates.mean(axis=0)
    candidates = candidates - mean
    squares = (candidates**2).sum(axis=1)
    found = [
        (squares - 2 * (queries[start : start + block] - mean) @ candidates.T).argmin(axis=1)
        for start in range(0, len(queries), block)
    ]
    return np.concatenate(found)


def common(values: list[str]) -> list[str]:
    """Reduce labels to the first of several values (``Men;Women``), and empty and rare ones to ``Other``."""
    first = [value.split(";")[0] or OTHER for value in values]
    counts = Counter(first)
    return [value if counts[value] > RARE else OTHER for value in first]


def _pairs(folder: Path) -> list[Path]:
    numbered = []
    for path in folder.glob("*/*_AB.jpg"):
        number = path.name.removesuffix("_AB.jpg")
        if not number.isdecimal():
            raise UserError(f"{path}: expected a name like 1_AB.jpg")
        numbered.append((path.parent.name, int(number), path))  # sorted as numbers: 10 after 9
    if not numbered:
        raise UserError(f"no train/1_AB.jpg and so on in {folder}: unpack edges2shoes.tar.gz there")
    return [path for _, _, path in sorted(numbered)]


def _zappos(raw_dir: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """Read the paths of the photos, and for each attribute the cell of each photo."""
    table, names = raw_dir / METADATA / "meta-data.csv", _names(raw_dir / METADATA / "image-path.mat")
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table} cannot be read ({error}): unpack ut-zap50k-data.zip there") from error
    for column in COLUMNS.values():
        if not rows or rows[0].get(column) is None:
            raise UserError(f"{table} has no column {column}, or no rows: unpack it again")
    if len(rows) != len(names):
        raise UserError(f"{table} has {len(rows)} rows for the {len(names)} names of image-path.mat")
    folder = (raw_dir / PHOTOS).resolve()
    try:
        photos = [(folder / name).resolve() for name in names]
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"image-path.mat: a name is not a path ({error}): unpack it again") from error
    for photo in photos:
        if not photo.is_relative_to(folder):
            raise UserError(f"image-path.mat: {photo} is outside of {folder}")
    return photos, {name: [row[column] or "" for row in rows] for name, column in COLUMNS.items()}


def _names(path: Path) -> list[str]:
    from scipy.io import loadmat

    try:
        return [str(cell[0]) for cell in loadmat(path, variable_names=["imagepath"])["imagepath"][:, 0]]
    # A damaged file makes scipy raise many kinds of exceptions.
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as a MATLAB file with 'imagepath' ({error}): unpack ut-zap50k-data.zip"
        ) from error


def _pair(path: Path) -> Images:
    image = open_jpeg(path, (2 * SIDE, SIDE))
    return np.stack([scaled(image, EDGE), scaled(image, PHOTO)])


def _pair_thumb(path: Path) -> npt.NDArray[np.float32]:
    return _thumb(open_jpeg(path, (2 * SIDE, SIDE)).crop(PHOTO))


def _photo_thumb(path: Path) -> npt.NDArray[np.float32]:
    image = open_jpeg(path)
    if image.width != image.height:
        raise UserError(f"{path} is {image.width} x {image.height} pixels; expected the square photos")
    return _thumb(image)


def _thumb(image: Image.Image) -> npt.NDArray[np.float32]:
    """Reduce an image to ``(768,)`` numbers, with a filter that works for any ratio of sizes."""
    small = image.resize((THUMB, THUMB), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32).ravel()
