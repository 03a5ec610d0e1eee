"""Kinds of cells in a CSV column: numbers, names of classes, and marks of missing values."""

import re
from collections.abc import Iterator, Sequence

INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MISSING = re.compile(
    r"[+-]?(?i:nan|inf|infinity)|NA|na|<NA>|(?i:n/a|n\.a\.?|null)|[-\u2012-\u2015\u2212]+|\?+|\.+"
    r"|(?i:#(n/a|ref!|value!|div/0!|null!|num!|name\?))"
)
"""Marks that people, spreadsheets and statistics programs write for a missing value."""
_OTHERWISE = re.compile(
    r"[+-]?[0-9]*[.,][0-9]+([eE][+-]?[0-9]+)?\s*[^\W\d_%]{0,5}%?|[+-]?[0-9]+(\s*%|\s+[^\W\d_]{1,3})"
)
"""A number with a decimal comma or a unit."""
SHOWN = 3
"""Number of cells that a warning shows as examples."""


def is_continuous(cells: Sequence[str]) -> bool:
    """Tell whether all cells are numbers, at least one with a decimal point or an exponent."""
    return all(map(NUMBER.fullmatch, cells)) and not all(map(INTEGER.fullmatch, cells))


def class_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct cells, sorted as numbers if all are numbers, otherwise as text."""
    distinct = sorted(set(cells))
    if all(map(INTEGER.fullmatch, distinct)):
        distinct.sort(key=int)
    elif all(map(NUMBER.fullmatch, distinct)):
        distinct.sort(key=float)
    return tuple(distinct)


def same_classes(names: Sequence[str]) -> Iterator[list[str]]:
    """Find class names that differ only in case, blanks or the spelling of a number."""
    groups: dict[object, list[str]] = {}
    for name in names:
        # Spellings of the same number, such as 1 and 1.0, get the same key.
        number = float(name) if NUMBER.fullmatch(name) else None
        groups.setdefault(" ".join(name.casefold().split()) if number is None else number, []).append(name)
    return (group for group in groups.values() if len(group) > 1)


def doubts(cells: Sequence[str], places: Sequence[str]) -> Iterator[str]:
    """Describe why a column may have been read as the wrong kind of attribute.

    Args:
        cells: The column, without marks of missing values.
        places: Names the place of each cell, e.g. ``line 4``.
    """
    first: dict[str, str] = {}  # distinct cells with the place of their first occurrence
    for place, cell in zip(places, cells, strict=True):
        first.setdefault(cell, place)
    if is_continuous(cells):
        if all(float(cell).is_integer() for cell in first):
            yield f"all its numbers are whole ({_shown(first)})"
        return
    odd = {cell: place for cell, place in first.items() if not NUMBER.fullmatch(cell)}
    numeric = [cell for cell in cells if NUMBER.fullmatch(cell) or _OTHERWISE.fullmatch(cell)]
    if odd and 2 * len(numeric) >= len(cells):
        yield f"most of its cells are numbers, but not {_shown(odd)}: correct these if it is continuous"
    elif len(first) == len(cells):
        yield f"every row has a different value ({_shown(first)}), from which no class can be learned"


def _shown(cells: dict[str, str]) -> str:
    """Format some cells with their places."""
    some = [f"{cell!r} on {place}" for cell, place in list(cells.items())[:SHOWN]]
    return ", ".join([*some, f"and {len(cells) - SHOWN} more"] if len(cells) > SHOWN else some)
