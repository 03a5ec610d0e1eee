"""The lock of a search: it has one driver at a time, and other processes can see whether it has one."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dcodr.errors import UserError

LOCK = "driver.lock"
PATIENCE = 1.0
"""Seconds within which a process that only checks for a driver gives the lock back."""


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Hold the driver's lock of the search in a folder; the system releases it when the process dies.

    Raises:
        UserError: If another process is the driver.
    """
    # Opened without truncation: the file names the process that holds the lock.
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + PATIENCE
        # `driven` holds the lock for a moment, so one refusal does not mean that there is a driver.
        while not _locked(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                file.seek(0)
                raise UserError(
                    f"search {folder.name!r} is running already, {file.read().strip()}: wait for its end, or "
                    f"look at it with: python -m tuning status {folder.name} --storage {folder.parent}"
                )
            time.sleep(0.05)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def driven(folder: Path) -> bool:
    """Return whether a process drives the search in a folder."""
    try:
        with (folder / LOCK).open(encoding="utf-8") as file:
            return not _locked(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
