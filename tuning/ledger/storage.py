"""The folder of all searches: names, and the messages if it fails while a search runs."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dcodr.errors import StorageError
from dcodr.files import disk_failure
from dcodr.words import once_more
from tuning.ledger.lock import LOCK

LEDGER = "ledger.log"
"""The record of a search, in the folder of the search."""
_BEGUN = (LOCK, "space.yaml", ".space.yaml.", f"{LEDGER}.")
"""Prefixes of the files of a search that was killed before it had a ledger."""
_NAME = re.compile(r"\w([\w .+-]*[\w+-])?")
_RESERVED = re.compile(
    r"(mlflow\.db|mlartifacts|mlruns)([-.].*)?|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE
)
"""Names of MLflow's own files beside the searches, and names that Windows reserves for devices."""
_ADDED = len(".-000000.yaml..tmp") + 32
"""Number of bytes that the longest file name adds to the name of its search."""


def names(storage: Path) -> list[str]:
    """Return the names of the searches in a folder."""
    return sorted(path.parent.name for path in storage.glob(f"*/{LEDGER}"))


def unfit(name: str, storage: Path) -> str | None:
    """Return the reason why a search cannot have a name; ``None`` if it can."""
    if not _NAME.fullmatch(name):
        return (
            "should be a plain folder name: letters, digits, - _ . + and spaces, "
            "not beginning with - . + or a space, not ending in a dot or space"
        )
    if _RESERVED.fullmatch(name):
        return "is reserved: MLflow or the operating system uses this name"
    nearest = next(folder for folder in (storage, *storage.parents) if folder.exists())
    size, most = len(os.fsencode(name)), os.pathconf(nearest, "PC_NAME_MAX") - _ADDED
    if size > most:
        return f"is too long: it has {size} bytes, and the file system allows {most}"
    return None


def occupied(name: str, storage: Path) -> str | None:
    """Describe what is in the way of a new search; ``None`` if nothing is, or a search killed as it began."""
    folder = storage / name
    if not folder.is_dir():
        return f"{folder} is a file" if folder.exists() else None
    files = sorted(path.name for path in folder.iterdir())
    # A search begins with its lock: without it the files are somebody else's.
    others = [file for file in files if LOCK not in files or not file.startswith(_BEGUN)]
    return f"{folder} contains other files, such as {others[0]}" if others else None


def discard(folder: Path) -> None:
    """Remove the files of a search that could not begin, and its folder unless it has other files."""
    for path in folder.iterdir():
        if path.name.startswith((LEDGER, *_BEGUN)):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def guarded(folder: Path, tracking: str) -> Iterator[None]:
    """Turn the errors of a storage that fails during a search into one message.

    Raises:
        StorageError: If the folder or its ledger is gone, or the disk fails; the message says what to do.
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
            f"{told}. Nothing that was finished is lost: once there is room again, {again}"
        ) from error


def _gone(folder: Path, tracking: str, again: str) -> str:
    moved = not (folder / "space.yaml").is_file()
    lost = folder if moved else folder / LEDGER
    rest = " (replacing what trials have written there since)" if moved and folder.is_dir() else ""
    return (
        f"{lost} is gone: it was moved or deleted while search {folder.name!r} was running. If it was moved, "
        f"move it back{rest} and {again}; nothing that was finished is lost. If it was deleted, the search "
        f"cannot continue; its metrics are still in MLflow, unless MLflow was deleted too: {tracking}"
    )


def _failed(error: BaseException) -> str | None:
    """Return the message of a disk failure behind an error; Ray and libraries wrap it in their own errors."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, StorageError):
            return str(behind)
        if (failure := disk_failure(behind)) is not None:
            return failure
        behind = behind.__cause__ or behind.__context__
    return None
