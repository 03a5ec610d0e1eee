"""Tables of text, which the terminal, the page and MLflow show alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcodr.tables import markdown_table


@dataclass(frozen=True)
class TextTable:
    """A table whose first column names its rows; the page's template shows it as HTML.

    Attributes:
        caption: Title of the table.
        header: Titles of the columns.
        rows: Cells of each row; ``-`` for a cell without a value.
        numbers: Number of columns after the first that hold numbers; ``None`` if all do.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int | None = None

    def rich(self, console: Console) -> Table:
        """Return the table for a terminal: numbers on the right and never broken, words on the left.

        If that would break words, the last columns, those of words, become one.
        """
        table, wide = self._rich(), console.options.update(width=10_000)
        fits = console.measure(table, options=wide).minimum <= console.width
        return table if fits or self.numbers is None else self._together(1 + self.numbers)._rich()

    def markdown(self) -> str:
        """Return the table in Markdown."""
        return markdown_table(self.header, self.rows)

    def _rich(self) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
        )
        last = len(self.header) - 1 if self.numbers is None else self.numbers
        for i, title in enumerate(self.header):
            number = 0 < i <= last
            # A column without spaces would break words.
            broken = not number and any(" " in row[i] for row in self.rows)
            name = title if number else title.replace("_", "\n")
            table.add_column(Text(name), justify="right" if number else "left", no_wrap=not broken)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def _together(self, head: int) -> "TextTable":
        """Return the table with one column for all settings after the first columns."""
        rows = []
        for row in self.rows:
            named = zip(self.header[head:], row[head:], strict=True)
            rows.append((*row[:head], "  ".join(f"{key}={value}" for key, value in named if value != "-")))
        return TextTable(self.caption, (*self.header[:head], "settings"), rows, self.numbers)
