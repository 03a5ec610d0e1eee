"""Tables as text: CSV and Markdown."""

import csv
import io
from collections.abc import Iterable, Sequence


def csv_text(header: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV, with an empty cell for ``None``."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([[*header], *rows])
    return table.getvalue()


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, without a line break at its end."""
    lines = [header, ["---"] * len(header), *rows]
    # A bar or a line break in a text, e.g. in a dataset's provenance, would break the table.
    cells = (" | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)
