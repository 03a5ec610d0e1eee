"""The front of a search as a table for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, kw_only=True)
class FrontRow:
    """One trial of the final table.

    Attributes:
        number: the trial's number.
        figures: the objectives that were measured.
        params: the settings to show.
        label: a word below the number, such as `paper` for the paper's settings.
        knee: whether the trial is the best trade-off; the table marks it with a star.
        on_front: whether the trial is on the front; the table dims and marks other trials.
    """

    number: int
    figures: Mapping[str, float]
    params: Mapping[str, object]
    label: str = ""
    knee: bool = False
    on_front: bool = True


def front_table(rows: Sequence[FrontRow], objectives: Sequence[str], width: int) -> Table:
    """Lay out the front, one trial a row in the order given.

    Every parameter has its own column; if that would break words, one column lists all parameters.

    Args:
        rows: the front's trials, and the paper's settings even if they are off the front.
        objectives: names of the objectives to show.
        width: characters in a line of the console.

    Returns:
        The table, ready to print.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.params))
    columns = [["trial", *(_mark(row) for row in rows)]]
    columns += [[name, *(_figure(row.figures, name) for row in rows)] for name in objectives]
    head = len(columns)
    columns += [[name.replace("_", "\n"), *(_text(row.params.get(name)) for row in rows)] for name in names]
    if sum(map(_longest_word, columns)) + len(columns) - 1 > width:
        settings = ("  ".join(f"{name}={_text(value)}" for name, value in row.params.items()) for row in rows)
        columns = [*columns[:head], ["settings", *settings]]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0, header_style="bold")
    for i, column in enumerate(columns):
        side: JustifyMethod = "right" if 0 < i < head else "left"
        wraps = any(" " in cell for cell in column)
        table.add_column(column[0], justify=side, no_wrap=not wraps)
    for i, row in enumerate(rows, start=1):
        table.add_row(*(Text(column[i]) for column in columns), style="" if row.on_front else "dim")
    return table


def _longest_word(column: Sequence[str]) -> int:
    return max(cell_len(word) for text in column for word in text.split())


def _mark(row: FrontRow) -> str:
    lines = [f"{row.number:03d} ★" if row.knee else f"{row.number:03d}"]
    lines += [row.label] if row.label else []
    lines += [] if row.on_front else ["off-front"]
    return "\n".join(lines)


def _figure(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.3f}" if name in figures else "-"


def _text(value: object) -> str:
    """Format numbers to three digits, and lists of augmentations with commas, where a line may wrap."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).replace("+", ", ")
