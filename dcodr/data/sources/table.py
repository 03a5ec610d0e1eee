"""A table of texts, one row for each image. Error messages name the place of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcodr.errors import UserError

EMPTY = "empty cell: fill it in or remove the row"
TOLD = 20
"""Number of mistakes of one kind that are told one by one."""


def combined(found: Sequence[UserError], kind: str, before: str = "") -> UserError:
    """Combine errors of one kind; of many, the first are told and the others counted.

    Args:
        found: The errors, at least one.
        kind: The kind in the plural, e.g. ``unusable paths``.
        before: The beginning of the line that counts the others.
    """
    rest = UserError(f"{before}and {len(found) - TOLD:,} more {kind}")
    return UserError.of([*found[:TOLD], *([rest] if len(found) > TOLD else [])])


@dataclass(frozen=True)
class LabelTable:
    """Texts that name and label images.

    Attributes:
        source: Where the table comes from, e.g. the path of a CSV file.
        places: Names each row in messages, e.g. ``line 4``.
        columns: The cells of each column, without surrounding blanks.
    """

    source: str
    places: Sequence[str]
    columns: dict[str, list[str]]

    def error(self, row: int, column: str, message: str) -> UserError:
        """Make an error that names the place and column of a cell."""
        return UserError(f"{self.source}, {self.places[row]}, column {column}: {message}")

    def errors(self, found: Sequence[UserError], kind: str) -> UserError:
        """Combine errors of one kind; of many, the first are told and the others counted.

        Args:
            found: The errors, at least one.
            kind: The kind in the plural, e.g. ``unusable paths``.
        """
        return combined(found, kind, f"{self.source}: ")

    def take(self, rows: Sequence[int]) -> "LabelTable":
        """Return the table of some of the rows."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return LabelTable(self.source, [self.places[row] for row in rows], columns)
