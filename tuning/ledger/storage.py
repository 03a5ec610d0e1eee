"""The folder of all searches, and what is told of one that fails while a search runs."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dcodr.errors import StorageError
from dcodr.files import disk_failure
from dcodr.words import once_more

LEDGER = "ledger.log"
"""The record of a search, in the folder of the search."""
_BEGUN = ("driver.lock", "space.yaml", f"{LEDGER}.")
"""Beginnings of the files of a search that was killed before it had a ledger."""
_NAME = re.compile(r"\w([\w .+-]*[\w+-])?")
_RESERVED = re.compile(
    r"(mlflow\.db|mlartifacts|mlruns)([-.].*)?|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE
)
"""Names that MLflow has beside the searches, and those that Windows takes for devices."""
_ADDED = len(".-000000.yaml..tmp") + 32
"""Bytes that are added to a search's name to name files."""


def names(storage: Path) -> list[str]:
    """Names of the searches in a folder."""
    return sorted(path.parent.name for path in storage.glob(f"*/{LEDGER}"))


def unfit(name: str, storage: Path) -> str | None:
    """Say why no search can have a name, if so.

    Args:
        name: The name.
        storage: The folder of all searches, which need not be there yet.
    """
    if not _NAME.fullmatch(name):
        return "should be a plain folder name, of letters, digits, - _ . + and spaces, the last no . or space"
    if _RESERVED.fullmatch(name):
        return "is a name that MLflow or the system uses itself"
    nearest = next(folder for folder in (storage, *storage.parents) if folder.exists())
    size, most = len(os.fsencode(name)), os.pathconf(nearest, "PC_NAME_MAX") - _ADDED
    if size > most:
        return f"is too long: it has {size} bytes, and names of files there leave {most}"
    return None


def occupied(name: str, storage: Path) -> str | None:
    """Say what is already where a new search would be, if it is not one that was killed as it began."""
    folder = storage / name
    if not folder.is_dir():
        return f"{folder} is a file" if folder.exists() else None
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", *_BEGUN)))
    return f"{folder} holds other things, such as {others[0]}" if others else None


@contextmanager
def guarded(folder: Path, tracking: str) -> Iterator[None]:
    """Make one message of whatever a storage raises that fails while a search is at work in it.

    Args:
        folder: The folder of the search, with a ledger.
        tracking: Where its MLflow is, fit to be shown.

    Raises:
        StorageError: If the folder or its ledger is gone, or the disk fails; it says how to go on.
    """
    again = once_more(name=folder.name, resume=True)
    try:
        yield
    except Exception as error:
        if not folder.is_dir() or not (folder / LEDGER).is_file():
            raise StorageError(_gone(folder, tracking, again)) from error
        told = _failed(error)
        if told is None:
            raise
        raise StorageError(
            f"{told}. Nothing that was finished is lost: once there is room again, go on with {again}"
        ) from error


def _gone(folder: Path, tracking: str, again: str) -> str:
    moved = not (folder / "space.yaml").is_file()
    lost = folder if moved else folder / LEDGER
    rest = " in place of what trials have written there since" if moved and folder.is_dir() else ""
    return (
        f"{lost} is gone: it was moved or deleted while search {folder.name!r} was running. If it was moved, "
        f"all that was finished is in it: move it back{rest}, and go on with {again}. If it was deleted, the "
        f"search cannot go on; MLflow keeps what it was told, unless it was deleted as well: {tracking}"
    )


def _failed(error: BaseException) -> str | None:
    """Say what a disk did to the program; Ray and libraries hide that behind errors of their own."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, StorageError):
            return str(behind)
        if (failure := disk_failure(behind)) is not None:
            return failure
        behind = behind.__cause__ or behind.__context__
    return None
