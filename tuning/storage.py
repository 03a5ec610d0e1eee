"""The folder of all searches."""

from pathlib import Path

LEDGER = "ledger.log"
"""The record of a search, in the folder of the search."""


def names(storage: Path) -> list[str]:
    """Names of the searches in a folder."""
    return sorted(path.parent.name for path in storage.glob(f"*/{LEDGER}"))
