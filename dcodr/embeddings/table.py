"""Codes with the names and labels of their images, in a Parquet file, or as CSV or NumPy for others."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import FIT_MODES, FitMode
from dcodr.errors import UserError
from dcodr.files import appearing, write_text
from dcodr.tables import csv_text

CODE = "code"
"""The column of a Parquet file that holds the codes."""
SUFFIXES = (".parquet", ".csv", ".npy")
"""Endings of the files that :meth:`Embeddings.write` writes."""
_HEADER = b"dcodr"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Codes of images.

    Attributes:
        codes: ``(n, d)`` float32, each of length 1.
        columns: For each image a text in every column. The first column names the image: ``path``, relative
            to ``images``, or ``row`` of a store. The others are labels.
        images: The folder of the images, or the store that holds them; an absolute path.
        image_size: Height and width of the images that the encoder saw, in pixels.
        encoder: The encoder, as it was given to ``embed``.
        fit: How the images became squares; in files of earlier versions they were cropped.
        encoder_fingerprint: ``Encoder.fingerprint`` of the encoder; ``None`` in files of earlier versions.
        store_fingerprint: Fingerprint of the store; ``None`` without a store or in earlier versions.
        written: Time at which the file that holds the codes was written, in seconds; ``None`` if none does.
    """

    codes: npt.NDArray[np.float32]
    columns: Mapping[str, Sequence[str]]
    images: str
    image_size: int
    encoder: str
    fit: FitMode = "crop"
    encoder_fingerprint: str | None = None
    store_fingerprint: str | None = None
    written: float | None = None

    def __post_init__(self) -> None:
        """Check that every column has a text for each code."""
        if self.codes.ndim != 2 or any(len(cells) != len(self.codes) for cells in self.columns.values()):
            raise UserError("every column must have one text for each code")

    @property
    def key(self) -> str:
        """The column that names the images: ``path`` or ``row``."""
        return next(iter(self.columns))

    @property
    def names(self) -> Sequence[str]:
        """The names of the images."""
        return self.columns[self.key]

    def write(self, path: str | Path) -> list[Path]:
        """Write the codes in the format that the file's ending names.

        ``.parquet`` holds everything and can be read again. ``.csv`` has the columns, then one for each
        dimension of the code. ``.npy`` is the array of codes; their columns are in ``NAME.columns.csv``.

        Returns:
            The files written; existing files of these names are replaced.

        Raises:
            UserError: If the ending is none of these, a label's name is that of a column of codes, or a file
                cannot be written.
        """
        path = Path(path)
        require_ending(path)
        require_free(self.columns, path)
        if path.suffix == ".csv":
            numbers = {f"{CODE}_{i}": column for i, column in enumerate(self.codes.T.tolist())}
            columns = {**self.columns, **numbers}
            write_text(path, csv_text(columns, zip(*columns.values(), strict=True)))
            return [path]
        if path.suffix == ".npy":
            beside = path.with_suffix(".columns.csv")
            write_text(beside, csv_text(self.columns, zip(*self.columns.values(), strict=True)))
            with appearing(path) as temporary, temporary.open("wb") as file:
                np.save(file, self.codes)
            return [path, beside]
        self._write_parquet(path)
        return [path]

    def _write_parquet(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        flat = pa.array(np.ascontiguousarray(self.codes, dtype=np.float32).reshape(-1))
        codes = pa.FixedSizeListArray.from_arrays(flat, self.codes.shape[1])
        names = {name: pa.array(list(cells), pa.string()) for name, cells in self.columns.items()}
        header = {
            "images": self.images,
            "image_size": self.image_size,
            "encoder": self.encoder,
            "fit": self.fit,
            "encoder_fingerprint": self.encoder_fingerprint,
            "store_fingerprint": self.store_fingerprint,
        }
        table = pa.table({**names, CODE: codes}).replace_schema_metadata({_HEADER: json.dumps(header)})
        with appearing(path) as temporary:
            pq.write_table(table, temporary)


def read_embeddings(path: str | Path) -> Embeddings:
    """Read codes that :meth:`Embeddings.write` wrote as Parquet; nothing in the file is executed.

    Raises:
        UserError: If the file is missing, damaged, or was not written by ``embed``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix != ".parquet":
        raise UserError(
            f"{path}: give the .parquet file of `embed`; the other formats are for other programs"
        )
    try:
        table = pq.read_table(path)
        header = json.loads((table.schema.metadata or {})[_HEADER])
        code = table.column(CODE).combine_chunks()
        width = code.type.list_size
        codes = code.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
        columns = {
            name: table.column(name).cast(pa.string()).to_pylist()
            for name in table.column_names
            if name != CODE
        }
        if not columns or not np.isfinite(codes).all() or any(None in cells for cells in columns.values()):
            raise ValueError("a value is missing or not finite")
        if (fit := header.get("fit", "crop")) not in FIT_MODES:
            raise ValueError(f"fit is {fit!r}")
        return Embeddings(
            codes,
            columns,
            str(header["images"]),
            int(header["image_size"]),
            str(header["encoder"]),
            fit,
            header.get("encoder_fingerprint"),
            header.get("store_fingerprint"),
            path.stat().st_mtime,
        )
    # A damaged file makes the reader raise many kinds of exceptions.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise UserError(f"{path}: damaged, or not written by `python -m dcodr embed`: {reason}") from error


def require_free(labels: Iterable[str], source: Path, *taken: str) -> None:
    """Refuse labels whose columns would be lost, as files of codes have other columns of these names.

    Args:
        labels: Names of the labels.
        source: The file that has them, for the message.
        taken: Names that are not free, beside ``code``, ``code_0``, ``code_1``...
    """
    lost = [name for name in labels if name in taken or re.fullmatch(rf"{CODE}(_[0-9]+)?", name)]
    if lost:
        raise UserError(
            f"{source}: rename {' and '.join(lost)}: files of codes have columns of their own with such names"
        )


def require_ending(path: Path, option: str = "") -> None:
    """Refuse a file whose ending names no format of :meth:`Embeddings.write`.

    Args:
        path: The file.
        option: The option that gave it, for the message.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{option}{path}: should end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
