"""The lock of a search: it has one driver at a time, and other processes can see whether it has one."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dcodr.errors import UserError

LOCK = "driver.lock"
PATIENCE = 1.0
"""Seconds within which processes that only check for a driver give the lock back."""


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Hold the driver's lock of the search in a folder; the system releases it when the process dies.

    Raises:
        UserError: If another process is the driver.
    """
    path = folder / LOCK
    # `driven` holds the lock for a moment, so one refusal does not mean that there is a driver.
    # No soft lock, because its file would outlive a killed driver.
    try:
        held = FileLock(path, timeout=PATIENCE, fallback_to_soft=False).acquire()
    except Timeout:
        driver = path.read_text(encoding="utf-8").strip()
        raise UserError(
            f"search {folder.name!r} is running already, {driver}: wait for its end, or "
            f"look at it with: python -m tuning status {folder.name} --storage {folder.parent}"
        ) from None
    with held:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield


def driven(folder: Path) -> bool:
    """Return whether a process drives the search in a folder."""
    # A shared lock on the file that `driving` locks. filelock's native locks are exclusive and need write
    # access: two readers would take each other for a driver, and a folder of another user would fail.
    try:
        with (folder / LOCK).open(encoding="utf-8") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
