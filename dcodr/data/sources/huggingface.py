"""Datasets of Hugging Face that ``Dataset.save_to_disk`` has written.

Images and labels are read from Arrow files. No code of a dataset is executed, nothing is downloaded, and no
file outside the folder is opened: images must be in the Arrow files, where ``save_to_disk`` puts them.
"""

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

from dcodr.data.dataset import RawDataset
from dcodr.data.sources.images import Progress
from dcodr.data.sources.labelled import SPLIT, SPLIT_NAMES, Listing, Options, Warn, labelled
from dcodr.data.sources.squares import files_identity
from dcodr.data.sources.table import EMPTY, LabelTable
from dcodr.errors import UserError
from dcodr.words import option

_ROW = "\0row"
"""The column of the positions in the dataset; no column of a dataset has such a name."""
DEFAULTS = Options()


class _Column(Sequence[bytes]):
    """The image files in a column of Arrow tables that follow each other; read when asked for."""

    def __init__(self, parts: Sequence[Any], column: str, table: LabelTable) -> None:
        self._parts, self._column, self._table = parts, column, table
        self._rows = [int(row) for row in table.columns[_ROW]]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[bytes]: ...

    def __getitem__(self, row: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        at = self._rows[row]
        for part in self._parts:
            if at < len(part):
                break
            at -= len(part)
        cell = part[at][self._column]
        if cell is None or not cell["bytes"]:
            where = f", only the path {cell['path']}" if cell and cell["path"] else ""
            raise self._table.error(
                row, self._column, f"holds no image{where}: write the dataset again with save_to_disk"
            )
        content: bytes = cell["bytes"]
        return content


def read_huggingface(
    path: Path,
    name: str,
    domain: str,
    attributes: Sequence[str] = (),
    image: str | None = None,
    options: Options = DEFAULTS,
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
) -> RawDataset:
    """Read a folder of ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk``, whose splits are kept.

    Args:
        path: The folder.
        name: The dataset's name.
        domain: The column of the domain.
        attributes: Columns of attributes. Classes have the names of a ``ClassLabel``.
        image: The column of images; not needed if there is only one.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about columns of doubtful type, and about unusual images.

    Returns:
        See :func:`dcodr.data.sources.folder.read_folder`.

    Raises:
        UserError: If the folder is not such a dataset, a column is missing or has no plain values, or a label
            or an image cannot be used.
    """
    parts = _parts(path)
    first = next(iter(parts.values()))
    image = _image_column(path, first, image)
    for column in (domain, *attributes):
        _check_column(path, first, column)
    columns: dict[str, list[str]] = {column: [] for column in (domain, *attributes)}
    places = [
        f"row {row} of {part}" if part else f"row {row}" for part in parts for row in range(len(parts[part]))
    ]
    for part in parts.values():
        for column, cells in columns.items():
            cells += _texts(part, column)
    table = LabelTable(str(path), places, {_ROW: [str(row) for row in range(len(places))], **columns})
    empty = [
        table.error(row, column, EMPTY)
        for column, cells in columns.items()
        for row, cell in enumerate(cells)
        if not cell
    ]
    if len(parts) > 1:
        table.columns[SPLIT] = [part for part in parts for _ in range(len(parts[part]))]
    identity = files_identity([file.resolve() for file in sorted(path.rglob("*.arrow"))])
    listing = Listing(
        table,
        key=image,
        domain=domain,
        attributes=attributes,
        pictures=lambda chosen: _Column(_only(parts.values(), image), image, chosen),
        source=f"Hugging Face dataset {path.resolve().name}",
        identity=lambda _, rows: identity,
        mistakes=[table.errors(empty, "empty cells")] if empty else [],
    )
    return labelled(listing, name, options, on_progress, warn)


def _parts(path: Path) -> dict[str, Any]:
    """Open the dataset; return its splits by name, or the whole under an empty name."""
    try:
        import datasets
    except ImportError:
        raise UserError(
            "reading Hugging Face datasets needs their package: pip install 'dcodr-tuning[huggingface]'"
        ) from None
    # Checked first: the library would look elsewhere, and in the cloud, for a folder that is not here.
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; give the folder of Dataset.save_to_disk")
    _refuse_outside(path.resolve())
    try:
        opened = datasets.load_from_disk(str(path.resolve()))
    # A folder of another kind or a damaged one makes the library raise many kinds of exceptions.
    except Exception as error:
        raise UserError(
            f"{path}: damaged, or not written by save_to_disk: {(str(error).splitlines() or [''])[0]}"
        ) from error
    parts = dict(opened) if isinstance(opened, datasets.DatasetDict) else {"": opened}
    if unknown := [part for part in parts if len(parts) > 1 and part.lower() not in SPLIT_NAMES]:
        raise UserError(
            f"{path}: {unknown[0]} is not a split; the splits may be called train, validation and test. "
            f"Give the folder of one of them, e.g. {path / unknown[0]}"
        )
    return {part if len(parts) > 1 else "": data.with_format(None) for part, data in parts.items()}


def _refuse_outside(path: Path) -> None:
    """Refuse a dataset that names files outside its folder; the library would open them."""
    for state in path.rglob("state.json"):
        try:
            files = [str(file["filename"]) for file in json.loads(state.read_bytes())["_data_files"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged, which the library reports
        for file in files:
            if not (state.parent / file).resolve().is_relative_to(path):
                raise UserError(f"{state} names {file}, which lies outside {path}")


def _image_column(path: Path, data: Any, image: str | None) -> str:
    import datasets

    found = [column for column, kind in data.features.items() if isinstance(kind, datasets.Image)]
    if image is None and len(found) == 1:
        return str(found[0])
    if image is None or image not in found:
        given = f"{image} is not a column of images; it" if image else "which column has the images? It"
        raise UserError(f"{path}: {given} has {', '.join(found) or 'none'}: give one with {option('image')}")
    return image


def _check_column(path: Path, data: Any, column: str) -> None:
    import datasets

    plain = [
        one for one, kind in data.features.items() if isinstance(kind, datasets.Value | datasets.ClassLabel)
    ]
    if column not in plain:
        raise UserError(f"{path}: {column} is not a column of labels; it has {', '.join(plain) or 'none'}")


def _texts(data: Any, column: str) -> list[str]:
    """Return the values of a column as texts; a missing value is ``null``, which is refused later."""
    import datasets

    kind = data.features[column]
    values = data.select_columns([column])[:][column]
    if isinstance(kind, datasets.ClassLabel):
        # -1 marks an image without a label.
        return ["null" if value is None or value < 0 else kind.int2str(value) for value in values]
    return ["null" if value is None else str(value).strip() for value in values]


def _only(parts: Iterable[Any], image: str) -> list[Any]:
    """Return the datasets with only the column of images, whose files are not decoded."""
    import datasets

    return [part.select_columns([image]).cast_column(image, datasets.Image(decode=False)) for part in parts]
