"""A table of texts, one row for each image. Error messages name the place of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcodr.errors import UserError


@dataclass(frozen=True)
class LabelTable:
    """Texts that name and label images.

    Attributes:
        source: Where the table comes from, e.g. the path of a CSV file.
        places: Names each row in messages, e.g. ``line 4``.
        columns: The cells of each column, without surrounding blanks; no cell is empty.
    """

    source: str
    places: Sequence[str]
    columns: dict[str, list[str]]

    def error(self, row: int, column: str, message: str) -> UserError:
        """Make an error that names the place and column of a cell."""
        return UserError(f"{self.source}, {self.places[row]}, column {column}: {message}")

    def take(self, rows: Sequence[int]) -> "LabelTable":
        """Return the table of some of the rows."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return LabelTable(self.source, [self.places[row] for row in rows], columns)
