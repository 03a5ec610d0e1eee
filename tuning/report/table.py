"""Tables of the page."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: What it shows.
        header: Titles of the columns.
        rows: Its cells.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
