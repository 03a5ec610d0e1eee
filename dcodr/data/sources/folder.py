"""A user's own images, with a CSV file of labels.

The CSV has a header with the columns ``path`` and ``domain``; every other column is an attribute::

    path,domain,angle,colour,x
    a/001.png,chair,0,red,0.25
    a/002.png,chair,45,blue,0.75

Paths are relative to the CSV's folder and must not leave it. A column of numbers, of which at least one has a
decimal point or an exponent, is a continuous attribute. Any other column is categorical; its classes are
sorted as numbers if all are numbers, otherwise as text.
"""

import warnings
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import Attribute, DatasetSpec, Labels, RawDataset
from dcodr.data.labels import NAME
from dcodr.data.sources.cells import MISSING, NUMBER, class_names, doubts, is_continuous, same_classes
from dcodr.data.sources.csv_table import CSVTable, read_table
from dcodr.data.sources.image_files import squares
from dcodr.data.sources.images import Progress
from dcodr.errors import UserError

Warn = Callable[[str], object]


def read_folder(
    csv_path: Path,
    name: str,
    root: Path | None = None,
    image_size: int = 64,
    continuous: Collection[str] = (),
    categorical: Collection[str] = (),
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
) -> RawDataset:
    """Read labels at once and images lazily; see :func:`dcodr.data.sources.image_files.squares`.

    Args:
        csv_path: The labels.
        name: The dataset's name.
        root: Folder that the paths are relative to; by default the CSV's own.
        image_size: Height and width to resize to, in pixels.
        continuous: Attributes to take as continuous though their values are all integers.
        categorical: Attributes to take as categorical though their values are numbers.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about columns of doubtful type, and about images with several frames.

    Returns:
        Images ``(n, image_size, image_size, 3)`` in chunks; the spec names domains and classes.

    Raises:
        UserError: If a label or an image cannot be used; the message names file, line and column. Images are
            checked when their chunk is read.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"dataset name {name!r}: give one of letters, digits, - and _ with --name")
    table = read_table(csv_path, required=("path", "domain"))
    attributes = [column for column in table.columns if column not in ("path", "domain")]
    _check_names(table, attributes)
    _check_kinds(table, attributes, continuous, categorical)
    domains, domain = _domains(table, warn)
    labels = {column: _attribute(table, column, continuous, categorical, warn) for column in attributes}
    spec = DatasetSpec(
        name=name,
        domain="domain",
        attributes=tuple(attribute for attribute, _ in labels.values()),
        domains=domains,
    )
    paths = image_paths(table, (root or csv_path.parent).resolve())
    images = squares(paths, image_size, lambda row, why: table.error(row, "path", why), warn, on_progress)
    attributes_of = {column: values for column, (_, values) in labels.items()}
    source = f"{csv_path.name}, centre squares resized to {image_size} x {image_size}"
    return RawDataset(spec, images, domain, attributes_of, source)


def _check_names(table: CSVTable, attributes: list[str]) -> None:
    for name in attributes:
        if not NAME.fullmatch(name):
            raise UserError(f"{table.file}, column {name}: rename it; letters, digits, - and _ are allowed")
        if name == "all":
            raise UserError(
                f"{table.file}, column all: rename it; metrics use it for all attributes together"
            )


def _check_kinds(
    table: CSVTable, attributes: list[str], continuous: Collection[str], categorical: Collection[str]
) -> None:
    for kind, names in (("continuous", continuous), ("categorical", categorical)):
        for name in names:
            if name not in attributes:
                known = ", ".join(attributes) or "none"
                raise UserError(f"{table.file} has no attribute {name} to be {kind}; its attributes: {known}")
    if both := [name for name in continuous if name in categorical]:
        raise UserError(f"{both[0]} cannot be both continuous and categorical: choose one")


def _domains(table: CSVTable, warn: Warn) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    names, ids = _classes(table, "domain", warn)
    if len(names) < 2:
        raise table.error(0, "domain", f"all rows have the domain {names[0]}; at least 2 are needed")
    alone = np.bincount(ids)[ids] < 2
    if alone.any():
        row = int(alone.argmax())
        raise table.error(
            row,
            "domain",
            f"domain {names[ids[row]]} has only this image; contrastive training needs at least 2 of every "
            "domain: add images or remove the row",
        )
    return names, ids


def _attribute(
    table: CSVTable, column: str, continuous: Collection[str], categorical: Collection[str], warn: Warn
) -> tuple[Attribute, Labels]:
    """Read an attribute and its labels; guess the kind from the cells unless it is given."""
    cells = table.columns[column]
    _refuse_missing(table, column)
    if len(set(cells)) == 1:
        raise table.error(0, column, f"all rows have the same value, {cells[0]}: remove the column")
    measured = column in continuous or (column not in categorical and is_continuous(cells))
    # Warn only if the kind was guessed. An option settles it.
    if column not in {*continuous, *categorical}:
        taken = "continuous" if measured else f"{len(set(cells))} classes"
        for doubt in doubts(cells, table.lines):
            settled = f"--continuous {column} or --categorical {column} settles it"
            warn(f"{table.file}, column {column}: taken as {taken}, though {doubt}; {settled}")
    if not measured:
        names, ids = _classes(table, column, warn)
        return Attribute(column, cardinality=len(names), classes=names), ids
    values = np.array([_number(table, row, column) for row in range(len(cells))], dtype=np.float32)
    return Attribute(column, cardinality=None), values[:, None]


def _refuse_missing(table: CSVTable, column: str) -> None:
    for row, cell in enumerate(table.columns[column]):
        if MISSING.fullmatch(cell):
            raise table.error(
                row,
                column,
                f"{cell} is not a label but marks a missing value: fill it in, remove the row or, if it is "
                "the name of a class, write another name",
            )


def _classes(table: CSVTable, column: str, warn: Warn) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the distinct cells of a column in order, and the index of each row's cell."""
    cells = table.columns[column]
    _refuse_missing(table, column)
    names = class_names(cells)
    for same in same_classes(names):
        rows = ", ".join(f"{name!r} on line {table.lines[cells.index(name)]}" for name in same)
        warn(
            f"{table.file}, column {column}: taken as {len(same)} classes: {rows}; spell them alike if they "
            "are one"
        )
    ids = {name: index for index, name in enumerate(names)}
    return names, np.array([ids[cell] for cell in cells], dtype=np.int64)


def _number(table: CSVTable, row: int, column: str) -> float:
    cell = table.columns[column][row]
    # Numbers beyond float32 would become infinite.
    if not NUMBER.fullmatch(cell) or abs(float(cell)) > float(np.finfo(np.float32).max):
        raise table.error(row, column, f"{cell} is not a finite number: correct it or remove the row")
    return float(cell)


def image_paths(table: CSVTable, root: Path) -> list[Path]:
    """Return the paths of the images; check that each is within ``root`` and listed once."""
    rows: dict[Path, int] = {}
    for row, cell in enumerate(table.columns["path"]):
        given = Path(cell)
        try:
            # Resolved, so that a link cannot lead out of the folder.
            path = (root / given).resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError) as error:
            raise table.error(row, "path", f"{cell} is not a path ({error})") from error
        if given.is_absolute() or ".." in given.parts:
            raise table.error(row, "path", f"{cell} leaves {root}: give a path within it")
        if not path.is_relative_to(root):
            raise table.error(row, "path", _outside(root, given, path))
        if not is_file:
            raise table.error(row, "path", f"no file {path}")
        if path in rows:
            raise table.error(row, "path", f"{cell} is already on line {table.lines[rows[path]]}")
        rows[path] = row
    return list(rows)


def _outside(root: Path, given: Path, path: Path) -> str:
    """Return the message about a path within the folder that is a link out of it."""
    link = next(part for part in [*reversed(given.parents), given] if (root / part).is_symlink())
    return (
        f"{given} is {path}, because {link} is a link; links out of {root} are not followed: copy the images "
        "into it, or give their folder with --root and paths relative to it"
    )
