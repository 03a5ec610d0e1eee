"""The ledger's file: Optuna's journal, which neither a full disk nor a power cut can spoil."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from dcodr.errors import StorageError
from dcodr.files import reason

STALE_LOCK = 3
"""Seconds after which the lock of a killed driver is broken; a living driver holds it for milliseconds."""


class Journal(JournalFileBackend):
    """A journal with one line for each entry; an entry is in the file whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        file = str(self._path)
        super().__init__(file, JournalFileSymlinkLock(file, grace_period=STALE_LOCK))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries.

        Raises:
            StorageError: If the entries cannot be written, e.g. on a full disk; no part of them is kept.
        """
        size = None
        try:
            size = self._path.stat().st_size
            super().append_logs(logs)
        except OSError as error:
            # A full disk may leave half a line, behind which no entry could be added.
            if size is not None:
                with suppress(FileNotFoundError):
                    os.truncate(self._path, size)
            raise StorageError(f"cannot write {self._path}: {reason(self._path, error)}") from error


def cut_short(path: Path) -> int:
    """Return the size in bytes of an incomplete entry at a journal's end, as a power cut leaves one."""
    content = path.read_bytes()
    return len(content) - (content.rfind(b"\n") + 1)


def mend(path: Path) -> None:
    """Remove an incomplete entry at the journal's end, so that entries can be added; nobody has read it."""
    os.truncate(path, path.stat().st_size - cut_short(path))
