"""CSV files with a header. Error messages name the line and column of a cell."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from dcodr.data.sources.table import LabelTable
from dcodr.errors import UserError
from dcodr.words import counted


def read_table(file: Path, required: Sequence[str]) -> LabelTable:
    """Read a comma-separated UTF-8 file; blank lines are skipped.

    Args:
        file: The CSV file.
        required: Columns that must exist.

    Raises:
        UserError: If the file cannot be read or has no rows, if a column is missing, repeated or without a
            name, or if a cell is missing or empty.
    """
    records = _records(file)
    if not records:
        raise UserError(f"{file} is empty; expected a header with the columns {', '.join(required)}")
    header_line, header = records[0]
    for column in header:
        if not column or header.count(column) > 1:
            problem = "occurs more than once" if column else "has no name"
            raise _error(file, header_line, f"a column of the header {problem}", column)
    for column in required:
        if column not in header:
            raise _error(file, header_line, f"no such column; the header has {', '.join(header)}", column)
    for line, cells in records[1:]:
        if len(cells) != len(header):
            raise _error(file, line, f"{counted(len(cells), 'cell')} for {counted(len(header), 'column')}")
        if "" in cells:
            raise _error(file, line, "empty cell: fill it in or remove the row", header[cells.index("")])
    if len(records) == 1:
        raise UserError(f"{file} has a header but no rows")
    places = [f"line {line}" for line, _ in records[1:]]
    columns = zip(*(cells for _, cells in records[1:]), strict=True)
    return LabelTable(str(file), places, dict(zip(header, map(list, columns), strict=True)))


def _records(file: Path) -> list[tuple[int, list[str]]]:
    """Read the line number and cells of each record, the header first."""
    try:
        if not file.is_file() and file.exists():
            raise UserError(f"{file} cannot be read: it is not a file")
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(
            file, line, f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        ) from error
    # With newline="" the csv module itself handles line breaks, also within quoted cells.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        # Interned, because a label is repeated in many rows.
        return [(reader.line_num, [sys.intern(cell.strip()) for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise _error(file, reader.line_num, str(error)) from error


def _error(file: Path, line: int, message: str, column: str | None = None) -> UserError:
    where = f", column {column}" if column else ""
    return UserError(f"{file}, line {line}{where}: {message}")
