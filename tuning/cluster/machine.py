"""Limits of this process: CPUs, memory, and the abilities of a folder.

A container, a scheduler or a shell may give a process less than the machine has.
"""

import fcntl
import math
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dcodr.errors import UserError
from dcodr.files import file_system, reason

CGROUPS = Path("sys/fs/cgroup")
LEAST_MEMORY = 2**30
"""Bytes of memory below which driver, Ray and one small trial cannot run: they take about 1.2 GiB, part of it
shared."""
LEAST_ADDRESS_SPACE = 6 * 2**30
"""Bytes of address space that each process needs: with PyTorch and Ray loaded it has mapped 4.6 GiB."""
LEAST_ROOM = 16 * 2**20
"""Bytes on a disk that any search takes: MLflow's database, the ledger, configs."""


def cpus_here(root: Path = Path("/")) -> int:
    """Return the CPU cores that this process may use: the least of its affinity and its cgroups' quotas."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(math.floor, _quotas(root))]))


def memory_here(root: Path = Path("/")) -> int:
    """Return the bytes of memory that this process may use: the least of the machine's and its cgroups'."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [*_numbers(root, "memory.max", ""), *_numbers(root, "memory.limit_in_bytes", "memory")]
    return min([machine, *limits])


def check_memory() -> None:
    """Refuse a machine, a container or a shell that leaves too little memory for any search.

    Raises:
        UserError: If there is too little memory; the message names the limit that is too low.
    """
    memory = memory_here()
    if memory < LEAST_MEMORY:
        raise UserError(
            f"this process may use {memory / 2**20:,.0f} MiB of memory, and a search takes at least "
            f"{LEAST_MEMORY / 2**20:,.0f} MiB: raise the limit of the container or of the job"
        )
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space != resource.RLIM_INFINITY and space < LEAST_ADDRESS_SPACE:
        raise UserError(
            f"the limit of address space (ulimit -v) is {space / 2**20:,.0f} MiB, and PyTorch and Ray map "
            f"{LEAST_ADDRESS_SPACE / 2**20:,.0f} MiB, hardly any of it in memory: set ulimit -v unlimited"
        )


def lacking(folder: Path) -> str | None:
    """Return one reason why a search could not use a folder, if any; leave nothing in the folder.

    The function tries writing, renaming, symbolic links, and both kinds of file locks.
    """
    room = shutil.disk_usage(folder)
    if room.total > 0 and room.free < LEAST_ROOM:  # some network file systems report no size
        mount, _ = file_system(folder)
        return (
            f"the file system of {folder}, mounted at {mount}, is full: it has {room.free / 2**20:,.1f} MiB "
            f"left, and a search takes at least {LEAST_ROOM / 2**20:,.0f} MiB"
        )
    # Each step sets the message for its own failure, as an OSError alone does not say what was tried.
    doing = "cannot write to {}"
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            one, other = Path(name) / "one", Path(name) / "other"
            with one.open("wb", buffering=0) as file:
                # Unbuffered and synced: the file system has to take the bytes now.
                file.write(bytes(2**20))
                os.fsync(file.fileno())
                # The system calls themselves: the lock files need the first, SQLite the second.
                doing = "{} is on a file system without file locks (flock)"
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(file.fileno(), fcntl.LOCK_UN)
                doing = "{} is on a file system without file locks (fcntl)"
                fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            doing = "{} is on a file system without symbolic links"
            other.symlink_to(one)
            doing = "{} is on a file system where files cannot be replaced"
            one.replace(other)
    except OSError as error:
        return f"{doing.format(folder)}: {reason(folder, error)}"
    return None


def _quotas(root: Path) -> Iterator[float]:
    """Yield the CPUs that each control group allows, as quota divided by period."""
    pairs = [tuple(text.split()) for text in _texts(root, "cpu.max", "")]
    first_version = [_texts(root, f"cpu.cfs_{name}_us", "cpu") for name in ("quota", "period")]
    for quota, period in [*pairs, *zip(*first_version, strict=True)]:
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)


def _numbers(root: Path, name: str, controller: str) -> Iterator[int]:
    return (int(text) for text in _texts(root, name, controller) if text != "max")


def _texts(root: Path, name: str, controller: str) -> Iterator[str]:
    """Yield the text of a file in each control group of this process and in the groups above.

    The controller is that of cgroups version 1; it is empty for version 2, which has one tree for all.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            top = root / CGROUPS / controller
            group = top / path.strip("/")
            # A container may see the path that the host has, but only its own group, as the top.
            for folder in (group, *group.parents):
                if folder.is_relative_to(top) and (folder / name).is_file():
                    yield (folder / name).read_text(encoding="utf-8").strip()
