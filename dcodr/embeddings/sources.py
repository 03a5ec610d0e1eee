"""Images to embed: a folder, a CSV file of paths, a store, or a single file."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, FactorDataset, FitMode
from dcodr.data.dataset import Images as Pixels
from dcodr.data.sources.csv_table import read_table
from dcodr.data.sources.folder import ENDINGS, holds_splits, image_files, image_paths
from dcodr.data.sources.images import Progress
from dcodr.data.sources.squares import Squares
from dcodr.data.sources.table import LabelTable
from dcodr.data.store import open_store
from dcodr.embeddings.table import Embeddings, require_free
from dcodr.errors import UserError
from dcodr.words import option

_CHUNK = 1024
_GONE = "is gone: put it back, or embed the images again"

Warn = Callable[[str], object]


class Read(Protocol):
    """Reads images by their positions, in order."""

    def __call__(
        self,
        rows: npt.NDArray[np.int64],
        size: int,
        fit: FitMode,
        on_progress: Progress | None = None,
        on_unreadable: Callable[[int, str], object] | None = None,
    ) -> Iterator[Pixels]:
        """Yield chunks ``(n, size, size, 3)`` of uint8 RGB.

        Photographs are prepared as for a training; see :func:`dcodr.data.sources.image_files.square`. A store
        has one size and fit only.

        Args:
            rows: Positions of the images.
            size: Height and width, in pixels.
            fit: How images become squares.
            on_progress: Called with the number of images read and of all images.
            on_unreadable: Called with the position of an image that cannot be read and the reason; such
                images are then left out, otherwise the first one is an error.
        """
        ...


@dataclass(frozen=True)
class ImageSource:
    """Images with a name and labels each.

    Attributes:
        place: The folder of the files, or the store; an absolute path.
        columns: See :class:`dcodr.embeddings.table.Embeddings`.
        read: Reads the images.
        fingerprint: Fingerprint of the store; ``None`` for files.
    """

    place: Path
    columns: Mapping[str, Sequence[str]]
    read: Read
    fingerprint: str | None = None

    @property
    def count(self) -> int:
        """The number of images."""
        return len(next(iter(self.columns.values())))


def open_images(
    path: str | Path, root: str | Path | None = None, *, warn: Warn = warnings.warn
) -> ImageSource:
    """Open images to embed.

    Args:
        path: A folder, of which all image files are taken, those in its folders too, but none whose name or
            folder's name begins with a dot; a CSV file with a column ``path`` and any labels; a store
            (``.h5``); or an image file.
        root: Folder that the CSV file's paths are relative to; by default its own.
        warn: Called with a message about files with several frames.

    Raises:
        UserError: If there is no such file, there are no images in it, a link leads out of the folder, or a
            label has a name that files of codes use themselves.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        table = read_table(path, required=("path",))
        require_free(table.columns, path)
        folder = Path(root or path.parent).resolve()
        files = image_paths(table, folder)
        return _files(folder, files, table.columns, lambda row, why: table.error(row, "path", why), warn)
    if root is not None:
        raise UserError(f"{option('root', root)} belongs to a CSV file, which {path} is not: leave it out")
    if path.suffix == ".h5":
        return _store(path)
    if path.is_dir():
        return _folder(path, warn)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    file = path.resolve()
    return _files(file.parent, [file], {"path": [file.name]}, lambda row, why: UserError(why), warn)


def reopen(table: Embeddings, *, warn: Warn) -> ImageSource:
    """Open the images of a table of codes again.

    Args:
        table: The table.
        warn: See :func:`open_images`.

    Raises:
        UserError: If the folder or the store is gone, or the store is another one. An image that is gone is
            an error when it is read.
    """
    place = Path(table.images)
    if table.key == "row":
        source = _store(place)
        known = table.store_fingerprint or source.fingerprint
        if known != source.fingerprint or list(table.names) != source.columns["row"]:
            raise UserError(
                f"{place} is no longer the store of these codes: it was prepared again, or rows of the table "
                "were removed; embed its images again"
            )
        return source
    for name in table.names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{name} leaves {place}: the table of codes was changed")
    if not place.is_dir():
        raise UserError(f"{place}, the folder of the images of these codes, {_GONE}")
    files = [place / name for name in table.names]
    return _files(place, files, {table.key: table.names}, partial(_of_codes, files), warn)


def _of_codes(files: Sequence[Path], row: int, why: str) -> UserError:
    """Make an error from an image of a table of codes that cannot be read."""
    return UserError(why if files[row].exists() else f"{files[row]} {_GONE}")


def _folder(path: Path, warn: Warn) -> ImageSource:
    """Open the images that ``prepare`` lists in a folder; their folder in it is a label."""
    folder = path.resolve()
    found, _ = image_files(folder)
    if not found:
        raise UserError(f"{path}: no image files; looked for names that end in {', '.join(ENDINGS)}")
    names = [file.as_posix() for file in found]
    files = image_paths(LabelTable(str(path), names, {"path": names}), folder)
    columns = {"path": names}
    if any(len(file.parts) > 1 for file in found):
        splits = holds_splits(folder)
        columns["folder"] = [_part(file, 1 if splits else 0) for file in found]
        if splits:
            columns["split"] = [_part(file, 0) for file in found]
    return _files(folder, files, columns, lambda row, why: UserError(why), warn)


def _part(file: Path, depth: int) -> str:
    """Return the name of a file's folder at a depth; a dot if the file is not that deep."""
    return file.parts[depth] if len(file.parts) > depth + 1 else "."


def _files(
    folder: Path,
    files: Sequence[Path],
    columns: Mapping[str, Sequence[str]],
    complain: Callable[[int, str], UserError],
    warn: Warn,
) -> ImageSource:
    def read(
        rows: npt.NDArray[np.int64],
        size: int,
        fit: FitMode,
        on_progress: Progress | None = None,
        on_unreadable: Callable[[int, str], object] | None = None,
    ) -> Iterator[Pixels]:
        def error(i: int, why: str) -> UserError:
            return complain(int(rows[i]), why)

        def leave_out(i: int, why: str) -> None:
            if on_unreadable:
                on_unreadable(int(rows[i]), str(error(i, why)))

        squares = Squares([files[row] for row in rows], size, fit, error, warn, on_progress)
        return iter(replace(squares, on_unreadable=leave_out) if on_unreadable else squares)

    # The name comes first, wherever the CSV file has it.
    ordered = {"path": columns["path"], **columns}
    return ImageSource(folder, ordered, read)


def _store(path: Path) -> ImageSource:
    data = open_store(path)

    def read(
        rows: npt.NDArray[np.int64],
        size: int,
        fit: FitMode,
        on_progress: Progress | None = None,
        on_unreadable: Callable[[int, str], object] | None = None,
    ) -> Iterator[Pixels]:
        data.require(size, fit, str(path))
        for start in range(0, len(rows), _CHUNK):
            yield np.asarray(data.images[rows[start : start + _CHUNK]])
            if on_progress:
                on_progress(min(start + _CHUNK, len(rows)), len(rows))

    labels = (data.spec.domain, *(attribute.name for attribute in data.spec.attributes))
    require_free(labels, path, "row", "split")
    return ImageSource(path.resolve(), _labels(data), read, data.fingerprint)


def _labels(data: FactorDataset) -> dict[str, list[str]]:
    """Return the labels of a store as texts: domain, attributes and split, by their names."""
    columns = {
        "row": [str(row) for row in range(len(data.images))],
        data.spec.domain: _texts(data.domain, data.spec.domains),
    }
    for attribute in data.spec.attributes:
        columns[attribute.name] = _texts(data.attributes[attribute.name], attribute.classes)
    return columns | {"split": [SPLITS[i] for i in data.split]}


def _texts(labels: npt.NDArray[np.int64] | npt.NDArray[np.float32], names: Sequence[str]) -> list[str]:
    if labels.ndim == 2:
        return [" ".join(f"{value:g}" for value in row) for row in labels.tolist()]
    return [names[i] if names else str(i) for i in labels.tolist()]
