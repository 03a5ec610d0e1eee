"""A user's own images, with a CSV file of labels.

The CSV has a header with the columns ``path`` and ``domain``; every other column is an attribute::

    path,domain,angle,colour,x
    a/001.png,chair,0,red,0.25
    a/002.png,chair,45,blue,0.75

Paths are relative to the CSV's folder and stay within it. A column of numbers, of which at least one has a
decimal point or an exponent, is a continuous attribute. Any other is categorical, its classes sorted as
integers if all are, else as text.
"""

import os
import re
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from dcodr.data.csv_table import Table, read_table
from dcodr.data.dataset import Attribute, DatasetSpec
from dcodr.data.labels import NAME
from dcodr.errors import UserError

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What may be opened; Pillow would run an external program for some others."""

INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def read_folder(
    csv_path: Path,
    name: str,
    root: Path | None = None,
    image_size: int = 64,
    continuous: Collection[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[DatasetSpec, npt.NDArray[np.uint8], npt.NDArray[np.int64], dict[str, Labels]]:
    """Read images and labels.

    An image is turned upright by its EXIF tag, laid over white where it is transparent, cropped to the
    largest square in its middle and resized by Lanczos resampling.

    Args:
        csv_path: The labels.
        name: The dataset's name.
        root: Folder that the paths are relative to; by default the CSV's own.
        image_size: Height and width to resize to, in pixels.
        continuous: Attributes to take as continuous though their values are all integers.
        on_progress: Called with the number of images read and of all images.

    Returns:
        The spec with the names of domains and classes, images ``(N, image_size, image_size, 3)``, domain
        ``(N,)`` and each attribute, class ids ``(N,)`` or numbers ``(N, 1)``.

    Raises:
        UserError: If a label or an image cannot be used; names file, line and column.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"dataset name {name!r}: give one of letters, digits, - and _ with --name")
    table = read_table(csv_path, required=("path", "domain"))
    attributes = [column for column in table.columns if column not in ("path", "domain")]
    _check_names(table, attributes, continuous)
    domains, domain = _domains(table)
    labels = {column: _attribute(table, column, column in continuous) for column in attributes}
    spec = DatasetSpec(
        name=name,
        domain="domain",
        attributes=tuple(attribute for attribute, _ in labels.values()),
        domains=domains,
    )
    images = _images(table, _paths(table, (root or csv_path.parent).resolve()), image_size, on_progress)
    return spec, images, domain, {column: values for column, (_, values) in labels.items()}


def _check_names(table: Table, attributes: list[str], continuous: Collection[str]) -> None:
    for name in attributes:
        if not NAME.fullmatch(name):
            raise UserError(f"{table.file}, column {name}: rename it; letters, digits, - and _ are allowed")
        if name == "all":
            raise UserError(
                f"{table.file}, column all: rename it; figures use it for all attributes together"
            )
    for name in continuous:
        if name not in attributes:
            known = ", ".join(attributes) or "none"
            raise UserError(f"{table.file} has no attribute {name} to be continuous; its attributes: {known}")


def _domains(table: Table) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    names, ids = _classes(table, "domain")
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


def _attribute(table: Table, column: str, continuous: bool) -> tuple[Attribute, Labels]:
    """An attribute and its labels, of the kind that the cells show or, if ``continuous``, of that."""
    cells = table.columns[column]
    if len(set(cells)) == 1:
        raise table.error(0, column, f"all rows have the same value, {cells[0]}: remove the column")
    numeric = all(map(NUMBER.fullmatch, cells))
    if not continuous and not (numeric and not all(map(INTEGER.fullmatch, cells))):
        names, ids = _classes(table, column)
        return Attribute(column, cardinality=len(names), classes=names), ids
    values = np.array([_number(table, row, column) for row in range(len(cells))], dtype=np.float32)
    return Attribute(column, cardinality=None), values[:, None]


def _classes(table: Table, column: str) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The different cells of a column in order, and for each row which it is."""
    cells = table.columns[column]
    for row, cell in enumerate(cells):
        if NOT_FINITE.fullmatch(cell):
            raise table.error(row, column, f"{cell} is no label: fill it in or remove the row")
    if all(map(INTEGER.fullmatch, cells)):
        names = sorted(set(cells), key=lambda cell: (int(cell), cell))
    else:
        names = sorted(set(cells))
    ids = {name: index for index, name in enumerate(names)}
    return tuple(names), np.array([ids[cell] for cell in cells], dtype=np.int64)


def _number(table: Table, row: int, column: str) -> float:
    cell = table.columns[column][row]
    if not NUMBER.fullmatch(cell) or abs(float(cell)) > float(np.finfo(np.float32).max):
        raise table.error(row, column, f"{cell} is not a finite number: correct it or remove the row")
    return float(cell)


def _paths(table: Table, root: Path) -> list[Path]:
    """Where the images are; each within ``root`` and listed once."""
    rows: dict[Path, int] = {}
    for row, cell in enumerate(table.columns["path"]):
        given = Path(cell)
        try:
            path = (root / given).resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError) as error:
            raise table.error(row, "path", f"{cell} is not a path ({error})") from error
        if given.is_absolute() or ".." in given.parts or not path.is_relative_to(root):
            raise table.error(row, "path", f"{cell} leaves {root}: give a path within it")
        if not is_file:
            raise table.error(row, "path", f"no file {path}")
        if path in rows:
            raise table.error(row, "path", f"{cell} is already on line {table.lines[rows[path]]}")
        rows[path] = row
    return list(rows)


def _images(
    table: Table, paths: list[Path], size: int, on_progress: Callable[[int, int], None] | None
) -> npt.NDArray[np.uint8]:
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)

    def read(row: int) -> None:
        try:
            images[row] = _image(paths[row], size)
        # Decoders report a damaged file by whatever the damage leads to.
        except Exception as error:
            raise table.error(
                row, "path", f"{paths[row]} is not an image that can be read ({error})"
            ) from error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(read, range(len(paths))), start=1):
            if on_progress:
                on_progress(done, len(paths))
    return images


def _image(path: Path, size: int) -> npt.NDArray[np.uint8]:
    with Image.open(path, formats=FORMATS) as file:
        if file.mode[0] in "IF":
            raise ValueError(f"pixels of mode {file.mode}: convert it to 8 bits a channel")
        file.draft("RGB", (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
        image = ImageOps.exif_transpose(file)
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        square = image.convert("RGB").resize(
            (size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
        )
    return np.asarray(square)
