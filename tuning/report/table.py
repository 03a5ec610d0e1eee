"""Tables of the page."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: Title of the table.
        header: Titles of the columns.
        rows: Cells of each row.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
