"""CelebA (Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015): faces of 10,177 people.

The published files (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html): ``img_align_celeba/000001.jpg`` to
``202599.jpg``, 178 x 218 pixels; ``identity_CelebA.txt``, lines of file name and person; and
``list_landmarks_align_celeba.txt``: a line with the number of images, a line with the names of the columns,
then lines of file name and the x and y of five landmarks in pixels.

Metrics measured here are not comparable with the published ones. The official evaluation (``evaluation.py``)
splits the images of the *test* people, whom the encoder has never seen, with ``test_size=0.25``: it fits its
probes on three quarters and scores the last quarter. Here train, validation and test are splits of the same
people, because a search needs validation images that are scored in the same way as the test images.
"""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, Images, RawDataset, stratified_split
from dcodr.data.sources.images import SIZE, Progress, in_chunks, open_jpeg, scaled
from dcodr.errors import UserError

IMAGES = "img_align_celeba"
IDENTITIES = "identity_CelebA.txt"
LANDMARKS = "list_landmarks_align_celeba.txt"
COLUMNS = tuple(
    f"{point}_{axis}" for point in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in "xy"
)

RAW_SIZE = (178, 218)
FACE = (25, 45, 153, 173)
"""The middle 128 x 128 pixels: left, top, right and bottom edge."""
REDUCTION = 128 // SIZE

NAME, NUMBER = re.compile(r"[0-9]+\.jpg"), re.compile(r"-?[0-9]{1,6}")

MIN_TRAINING = 20
"""Smallest number of training images of a person (supplement, section 2)."""

CELEBA = DatasetSpec(name="celeba", domain="person", attributes=(Attribute("landmarks", None),))
"""``landmarks`` holds x and y of both eyes, the nose and both corners of the mouth, in pixels of the 64 x 64
image. The official code detects 68 points with a network instead, so its L1 errors are not comparable."""


def read_celeba(raw_dir: Path, seed: int = 0, on_progress: Progress | None = None) -> RawDataset:
    """Read people with enough training images: the middle of each image, at half its size.

    Splits are made first. Then people with fewer than 20 training images are removed with all their images.
    Everyone who is kept has at least two images in the test split.

    Args:
        raw_dir: Folder of the published files, unpacked.
        seed: Seed of the splits.
        on_progress: Called with the number of images read and of all images to read.

    Returns:
        Images in chunks ``(<= 1024, 64, 64, 3)``; a domain is the published number of a person; with splits.

    Raises:
        UserError: If a file is missing or not as published, or no person has enough images. Image files are
            checked when their chunk is read.
    """
    names, person = _identities(raw_dir / IDENTITIES)
    points = _landmarks(raw_dir / LANDMARKS)
    kept, split = _with_enough_training(person, seed)
    if not len(kept):
        raise UserError(f"{raw_dir / IDENTITIES}: no person has {MIN_TRAINING} training images")
    names = [names[index] for index in kept]
    for name in names:
        if name not in points:
            raise UserError(f"{raw_dir / LANDMARKS} has no line for {name}: download it again")
    # Landmarks are shifted and scaled in the same way as the images are cropped and reduced.
    pixels = np.array([points[name] for name in names]).reshape(-1, 5, 2)
    landmarks = ((pixels - FACE[:2]) / REDUCTION).reshape(-1, len(COLUMNS)).astype(np.float32)
    files = [raw_dir / IMAGES / name for name in names]
    images = in_chunks(files, _read, on_progress)
    source = f"{IMAGES}, middle 128 x 128 averaged to 64 x 64, people of {MIN_TRAINING} training images"
    return RawDataset(CELEBA, images, person[kept], {"landmarks": landmarks}, source, split)


def _with_enough_training(
    person: npt.NDArray[np.int64], seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return positions of the images of people with enough training images, and their splits."""
    # Drop people with too few images first: `stratified_split` refuses domains of a single image.
    candidates = np.flatnonzero(np.bincount(person)[person] >= MIN_TRAINING)
    if not len(candidates):
        return candidates, np.empty(0, dtype=np.uint8)
    people = person[candidates]
    split = stratified_split(people, seed)
    n_training = np.bincount(people[split == SPLITS.index("train")], minlength=person.max() + 1)
    enough = n_training[people] >= MIN_TRAINING
    return candidates[enough], split[enough]


def _read(path: Path) -> Images:
    return scaled(open_jpeg(path, RAW_SIZE), FACE)


def _identities(path: Path) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Read file names and numbers of people, in the order of the file."""
    rows = [_row(path, line, text, 1) for line, text in enumerate(_lines(path), start=1)]
    if not rows:
        raise UserError(f"{path} is empty: download it again")
    for line, (_, (number,)) in enumerate(rows, start=1):
        if number < 0:
            raise UserError(f"{path}, line {line}: person {number}; expected a number from 0")
    return [name for name, _ in rows], np.array([numbers[0] for _, numbers in rows], dtype=np.int64)


def _landmarks(path: Path) -> dict[str, list[int]]:
    """Read the ten coordinates of each file name."""
    lines = _lines(path)
    if len(lines) < 2 or tuple(lines[1].split()) != COLUMNS:
        raise UserError(f"{path}, line 2: expected the columns {' '.join(COLUMNS)}")
    rows = [_row(path, line, text, len(COLUMNS)) for line, text in enumerate(lines[2:], start=3)]
    if lines[0].strip() != str(len(rows)):
        raise UserError(f"{path}: line 1 announces {lines[0].strip()!r} images, {len(rows)} follow")
    return dict(rows)


def _row(path: Path, line: int, text: str, n_numbers: int) -> tuple[str, list[int]]:
    name, *cells = text.split() or [""]
    is_name = NAME.fullmatch(name) is not None
    if not is_name or len(cells) != n_numbers or not all(map(NUMBER.fullmatch, cells)):
        raise UserError(
            f"{path}, line {line}: {text!r}; expected a name like 000001.jpg and whole numbers, {n_numbers}"
        )
    return name, [int(cell) for cell in cells]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): give the folder of the CelebA files") from error
