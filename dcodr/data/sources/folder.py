"""A user's own image files: labelled by a CSV file, or by the folders that they are in.

The CSV has a header with the columns ``path`` and ``domain``, and perhaps ``split``; every other column is
an attribute::

    path,domain,angle,colour,x
    a/001.png,chair,0,red,0.25
    a/002.png,chair,45,blue,0.75

Paths are relative to the CSV's folder and must not leave it. Without a CSV, a folder holds one folder for
each domain, or one for each split, which holds those of the domains (torchvision's ImageFolder)::

    photos/chair/001.png        photos/train/chair/001.png
    photos/table/001.png        photos/test/chair/002.png
"""

import os
import stat
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

from dcodr.data.dataset import RawDataset
from dcodr.data.sources.csv_table import read_table
from dcodr.data.sources.images import Progress
from dcodr.data.sources.labelled import SPLIT, SPLIT_NAMES, Listing, Options, Warn, labelled
from dcodr.data.sources.squares import files_identity
from dcodr.data.sources.table import LabelTable
from dcodr.errors import UserError
from dcodr.mistakes import Mistakes
from dcodr.words import counted, option

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".mpo")
"""Endings of the files in a folder that count as images, in lower or upper case."""
MANY = 10_000
"""Number of files from which checking them takes so long that the user is told."""
DEFAULTS = Options()
Note = Callable[[str], object]


def read_folder(
    csv_path: Path,
    name: str,
    root: Path | None = None,
    options: Options = DEFAULTS,
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
    note: Note | None = None,
) -> RawDataset:
    """Read the labels of a CSV file at once, and its images when they are asked for.

    Args:
        csv_path: The labels.
        name: The dataset's name.
        root: Folder that the paths are relative to; by default the CSV's own.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about columns of doubtful type, and about unusual images.
        note: Called with a message before many files are checked.

    Returns:
        Images ``(n, image_size, image_size, 3)`` in chunks; the spec names domains and classes.

    Raises:
        UserError: If labels or paths cannot be used; the message names all by file, line and column. Images
            are checked when their chunk is read.
    """
    mistakes = Mistakes()
    table = read_table(csv_path, ("path", "domain"), mistakes)
    attributes = [column for column in table.columns if column not in ("path", "domain", SPLIT)]
    return _files(
        table,
        attributes,
        (root or csv_path.parent).resolve(),
        csv_path.name,
        name,
        options,
        on_progress,
        warn,
        note,
        mistakes.found,
    )


def read_folders(
    root: Path,
    name: str,
    options: Options = DEFAULTS,
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
    note: Note | None = None,
) -> RawDataset:
    """List the images of a folder of domains, or of splits and domains; read them when they are asked for.

    Args:
        root: The folder; all of its folders are splits if ``train`` is one and the others have names of
            splits too, otherwise domains.
        name: The dataset's name.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about files that are left out, and about unusual images.
        note: Called with a message before many files are checked.

    Returns:
        See :func:`read_folder`.

    Raises:
        UserError: If there are no folders with images, or an image cannot be used.
    """
    return _files(
        _listed(root, warn),
        [],
        root.resolve(),
        f"folder {root.resolve().name}",
        name,
        options,
        on_progress,
        warn,
        note,
    )


def _files(
    table: LabelTable,
    attributes: list[str],
    root: Path,
    source: str,
    name: str,
    options: Options,
    on_progress: Progress | None,
    warn: Warn,
    note: Note | None,
    mistakes: Sequence[UserError] = (),
) -> RawDataset:
    listing = Listing(
        table,
        key="path",
        domain="domain",
        attributes=attributes,
        pictures=lambda chosen: image_paths(chosen, root, note),
        source=source,
        identity=lambda paths, rows: files_identity(paths[rows.start : rows.stop]),
        mistakes=mistakes,
    )
    return labelled(listing, name, options, on_progress, warn)


def _listed(root: Path, warn: Warn) -> LabelTable:
    """Return the paths of the images below a folder, with domain and perhaps split."""
    if not root.is_dir():
        raise UserError(f"{root} is not a folder: give a folder that holds one folder for each domain")
    splits = holds_splits(root)
    depth = 2 if splits else 1
    paths, others = image_files(root)
    inside = [path for path in paths if len(path.parts) > depth]
    if not inside:
        raise UserError(
            f"{root}: no images in folders of domains, as in {root}/{'train/' * splits}DOMAIN/*.jpg; looked "
            f"for names that end in {', '.join(ENDINGS)}"
        )
    if outside := sorted(set(paths) - set(inside)):
        warn(f"{root}: {counted(len(outside), 'image')} in no domain's folder left out, e.g. {outside[0]}")
    if others:
        warn(f"{root}: {counted(len(others), 'file')} of other kinds left out, e.g. {others[0]}")
    columns = {"path": [str(path) for path in inside], "domain": [path.parts[depth - 1] for path in inside]}
    if splits:
        columns[SPLIT] = [path.parts[0] for path in inside]
    return LabelTable(str(root), columns["path"], columns)


def holds_splits(root: Path) -> bool:
    """Tell whether the folders in a folder are splits, not domains."""
    try:
        top = [one.name for one in root.iterdir() if one.is_dir() and not one.name.startswith(".")]
    except OSError as error:
        _refuse(error)
    return "train" in top and len(top) > 1 and all(one.lower() in SPLIT_NAMES for one in top)


def image_files(root: Path) -> tuple[list[Path], list[Path]]:
    """List the files below a folder, except those whose names begin with a dot.

    Returns:
        Paths of images and of other files, relative to the folder and sorted.

    Raises:
        UserError: If a folder cannot be read or is a link, which is not followed, or names of images are not
            UTF-8.
    """
    images: list[Path] = []
    others: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=_refuse):
        here = Path(folder)
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        if linked := next((one for one in folders if (here / one).is_symlink()), None):
            raise UserError(f"{here / linked} is a link; links to folders are not followed: copy it")
        for file in sorted(one for one in files if not one.startswith(".")):
            path = (here / file).relative_to(root)
            (images if path.suffix.lower() in ENDINGS else others).append(path)
    if odd := [path for path in images if not _is_text(path)]:
        shown = os.fsencode(min(odd)).decode("utf-8", "replace")
        raise UserError(
            f"{root}: paths that are not UTF-8: {len(odd):,}, e.g. {shown}: rename these images or their "
            "folders, for example with convmv"
        )
    return sorted(images), sorted(others)


def _refuse(error: OSError) -> NoReturn:
    """Refuse a folder that cannot be read; its domain would be missing."""
    raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _is_text(path: Path) -> bool:
    """Tell whether a path can be written in UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def image_paths(table: LabelTable, root: Path, note: Note | None = None) -> list[Path]:
    """Return the paths of the images; check that each is within ``root`` and listed once.

    Args:
        table: A table with a column ``path``; empty cells are skipped.
        root: A resolved folder.
        note: Called with a message before many files are checked.

    Raises:
        UserError: If a path cannot be used; all such rows are told together.
    """
    cells = table.columns["path"]
    if note and len(cells) >= MANY:
        note(f"checking {len(cells):,} files")
    rows: dict[Path, int] = {}
    wrong = []

    @cache
    def folder_of(parent: str) -> tuple[Path, bool]:
        folder = (root / parent).resolve()
        return folder, folder.is_relative_to(root)

    for row, cell in enumerate(cells):
        if not cell:
            continue
        try:
            path = _within(root, cell, folder_of)
            if path in rows:
                raise UserError(f"{cell} is already on {table.places[rows[path]]}")
            rows[path] = row
        except UserError as error:
            wrong.append(table.error(row, "path", str(error)))
    if wrong:
        raise table.errors(wrong, "unusable paths")
    return list(rows)


def _within(root: Path, given: str, folder_of: Callable[[str], tuple[Path, bool]]) -> Path:
    """Return the resolved path of a file within ``root``.

    Args:
        root: A resolved folder.
        given: A path relative to it.
        folder_of: Resolves a folder relative to ``root``, and tells if it is within. Files share folders.
    """
    parent, name = os.path.split(given)
    if given.startswith("/") or (".." in given and ".." in Path(given).parts):
        raise UserError(f"{given} leaves {root}: give a path within it")
    try:
        folder, inside = folder_of(parent)
        path = folder / name
        mode = _mode(path)
        if stat.S_ISLNK(mode):
            path = path.resolve()
            inside, mode = path.is_relative_to(root), _mode(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{given} is not a path ({error})") from error
    if not inside:
        raise UserError(_outside(root, Path(given), path))
    if not stat.S_ISREG(mode):
        raise UserError(f"no file {path}")
    return path


def _mode(path: Path) -> int:
    """Return the mode of a file; 0 if there is none."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _outside(root: Path, given: Path, path: Path) -> str:
    """Return the message about a path within the folder that is a link out of it."""
    link = next(part for part in [*reversed(given.parents), given] if (root / part).is_symlink())
    return (
        f"{given} is {path}, because {link} is a link; links out of {root} are not followed: copy the images "
        f"into it, or give their folder with {option('root')} and paths relative to it"
    )
