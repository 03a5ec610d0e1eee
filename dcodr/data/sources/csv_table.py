"""CSV files with a header. Error messages name the line and column of a cell."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dcodr.data.sources.table import EMPTY, LabelTable
from dcodr.errors import UserError
from dcodr.mistakes import Mistakes
from dcodr.words import counted


def read_table(file: Path, required: Sequence[str], mistakes: Mistakes | None = None) -> LabelTable:
    """Read a comma-separated UTF-8 file; blank lines are skipped.

    Args:
        file: The CSV file.
        required: Columns that must exist.
        mistakes: Collects the errors of unusable rows, so that the caller can tell them with its own. The
            table then has empty cells, and lacks rows of too few or too many cells.

    Raises:
        UserError: If the file cannot be read or has no rows, if a column is missing, repeated or without a
            name, or, unless these are collected, if cells are missing or empty. All are told together.
    """
    records = _records(file)
    if not records:
        raise UserError(f"{file} is empty; expected a header with the columns {', '.join(required)}")
    header_line, header = records[0]
    _check_header(file, header_line, header, required)
    if len(records) == 1:
        raise UserError(f"{file} has a header but no rows")
    whole = [(line, cells) for line, cells in records[1:] if len(cells) == len(header)]
    columns = zip(*(cells for _, cells in whole), strict=True) if whole else [()] * len(header)
    table = LabelTable(
        str(file), [f"line {line}" for line, _ in whole], dict(zip(header, map(list, columns), strict=True))
    )
    if wrong := [error for line, cells in records[1:] for error in _row_mistakes(file, line, cells, header)]:
        error = table.errors(wrong, "unusable rows")
        if mistakes is None:
            raise error
        mistakes.found.append(error)
    return table


def _check_header(file: Path, line: int, header: Sequence[str], required: Sequence[str]) -> None:
    wrong = []
    for column in dict.fromkeys(header):
        if not column or header.count(column) > 1:
            problem = "occurs more than once" if column else "has no name"
            wrong.append(_error(file, line, f"a column of the header {problem}", column))
    for column in required:
        if column not in header:
            wrong.append(_error(file, line, f"no such column; the header has {', '.join(header)}", column))
    if wrong:
        raise UserError.of(wrong)


def _row_mistakes(file: Path, line: int, cells: Sequence[str], header: Sequence[str]) -> Iterator[UserError]:
    if len(cells) != len(header):
        yield _error(file, line, f"{counted(len(cells), 'cell')} for {counted(len(header), 'column')}")
    elif "" in cells:
        for column, cell in zip(header, cells, strict=True):
            if not cell:
                yield _error(file, line, EMPTY, column)


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
