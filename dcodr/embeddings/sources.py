"""Images to embed: a folder, a CSV file of paths, a store, or a single file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, FactorDataset, FitMode
from dcodr.data.dataset import Images as Pixels
from dcodr.data.sources.csv_table import read_table
from dcodr.data.sources.folder import ENDINGS, image_paths
from dcodr.data.sources.images import Progress
from dcodr.data.sources.squares import Squares
from dcodr.data.store import open_store
from dcodr.errors import UserError

_CHUNK = 1024

Warn = Callable[[str], object]


@dataclass(frozen=True)
class ImageSource:
    """Images with a name and labels each.

    Attributes:
        place: The folder of the files, or the store; an absolute path.
        columns: See :class:`dcodr.embeddings.table.Embeddings`.
        read: Reads images: positions, a size and a fit to ``(n, size, size, 3)`` uint8 RGB, in chunks and in
            order. Photographs are prepared as for a training; see
            :func:`dcodr.data.sources.image_files.square`. A store has one size and fit only.
    """

    place: Path
    columns: Mapping[str, Sequence[str]]
    read: Callable[[npt.NDArray[np.int64], int, FitMode, Progress | None], Iterator[Pixels]]

    @property
    def count(self) -> int:
        """The number of images."""
        return len(next(iter(self.columns.values())))


def open_images(path: Path, root: Path | None = None, *, warn: Warn) -> ImageSource:
    """Open images to embed.

    Args:
        path: A folder, of which all image files are taken, those in its folders too; a CSV file with a column
            ``path`` and any labels; a store (``.h5``); or an image file.
        root: Folder that the CSV file's paths are relative to; by default its own.
        warn: Called with a message about files with several frames.

    Raises:
        UserError: If there is no such file, or there are no images in it.
    """
    if path.suffix == ".h5":
        return _store(path)
    if path.suffix.lower() == ".csv":
        table = read_table(path, required=("path",))
        folder = (root or path.parent).resolve()
        files = image_paths(table, folder)
        return _files(folder, files, table.columns, lambda row, why: table.error(row, "path", why), warn)
    if path.is_dir():
        folder = path.resolve()
        files = sorted(
            file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file()
        )
        if not files:
            raise UserError(f"{path}: no image files; looked for names that end in {', '.join(ENDINGS)}")
    elif path.is_file():
        folder, files = path.resolve().parent, [path.resolve()]
    else:
        raise UserError(f"{path}: no such file or folder")
    names = [file.relative_to(folder).as_posix() for file in files]
    return _files(folder, files, {"path": names}, lambda row, why: UserError(why), warn)


def reopen(place: Path, column: str, names: Sequence[str], *, warn: Warn) -> ImageSource:
    """Open the images of a table of codes again.

    Args:
        place: Its ``images``.
        column: The name of its first column.
        names: The names of its images.
        warn: See :func:`open_images`.

    Raises:
        UserError: If the store or an image is gone.
    """
    if column == "row":
        return _store(place)
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{name} leaves {place}: the table of codes was changed")
    files = [place / name for name in names]
    return _files(place, files, {column: names}, lambda row, why: UserError(why), warn)


def _files(
    folder: Path,
    files: Sequence[Path],
    columns: Mapping[str, Sequence[str]],
    complain: Callable[[int, str], UserError],
    warn: Warn,
) -> ImageSource:
    def read(
        rows: npt.NDArray[np.int64], size: int, fit: FitMode, on_progress: Progress | None
    ) -> Iterator[Pixels]:
        chosen = [files[row] for row in rows]
        return iter(Squares(chosen, size, fit, lambda i, why: complain(int(rows[i]), why), warn, on_progress))

    # The name comes first, wherever the CSV file has it.
    ordered = {"path": columns["path"], **columns}
    return ImageSource(folder, ordered, read)


def _store(path: Path) -> ImageSource:
    data = open_store(path)

    def read(
        rows: npt.NDArray[np.int64], size: int, fit: FitMode, on_progress: Progress | None
    ) -> Iterator[Pixels]:
        if size != data.image_size:
            raise UserError(
                f"{path} has images of {data.image_size} pixels, but {size} are needed: prepare the images "
                f"again with --image-size {size}"
            )
        if fit != data.provenance.get("fit", fit):
            raise UserError(
                f"{path} was prepared with --fit {data.fit}, but the encoder was trained with {fit}: prepare "
                f"the images again with --fit {fit}"
            )
        for start in range(0, len(rows), _CHUNK):
            yield np.asarray(data.images[rows[start : start + _CHUNK]])
            if on_progress:
                on_progress(min(start + _CHUNK, len(rows)), len(rows))

    return ImageSource(path.resolve(), _labels(data), read)


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
