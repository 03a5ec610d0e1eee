"""The place of MLflow's artifacts: absolute, kept with every experiment and run, and never changed."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from dcodr.errors import UserError
from tuning.tracking.file import sqlite_file


def lost(uri: str, location: str) -> Path | None:
    """Return a folder of artifacts that is not there, as after a move of the searches; ``None`` if it is.

    Only the folders of an SQLite store are looked for: such a store moves along with its searches, while
    artifacts of a server or another database may be on another machine.
    """
    place = urlsplit(location)
    if sqlite_file(uri) is None or place.scheme not in ("", "file"):
        return None
    folder = Path(unquote(place.path))
    return None if folder.is_dir() else folder


def require_artifacts(uri: str, location: str) -> None:
    """Refuse to write to artifacts that are lost: MLflow would make the old folder again.

    Raises:
        UserError: If they are lost; the message says what to do.
    """
    if (folder := lost(uri, location)) is not None:
        raise UserError(
            f"MLflow's artifacts are not in {folder}: the search was moved, or they were deleted. Write the "
            "search to MLflow again from its ledger: python -m tuning doctor NAME --fix"
        )
