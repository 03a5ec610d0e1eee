"""Limits by a container, a scheduler or a file system, on made-up control groups and broken folders."""

import errno
import fcntl
import os
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dcodr.errors import UserError
from tuning.cluster import machine
from tuning.cluster.machine import check_memory, cpus_here, lacking, memory_here

GIB = 2**30


@pytest.fixture(autouse=True)
def _eight_cores_and_64_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}.get)


def tree(root: Path, cgroup: str, **files: str) -> Path:
    """Return a root folder with control groups; ``__`` in a name stands for a slash, ``_dot_`` for a dot."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize(
    ("cpu", "expected"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)]
)
def test_the_quota_of_a_container(tmp_path: Path, cpu: str, expected: int) -> None:
    assert cpus_here(tree(tmp_path, "0::/\n", cpu_dot_max=cpu)) == expected


def test_the_least_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        "0::/system.slice/job.scope\n",
        system_dot_slice__cpu_dot_max="300000 100000",
        system_dot_slice__job_dot_scope__cpu_dot_max="max 100000",
        system_dot_slice__memory_dot_max=str(2 * GIB),
        system_dot_slice__job_dot_scope__memory_dot_max=str(4 * GIB),
    )
    assert (cpus_here(root), memory_here(root)) == (3, 2 * GIB)


def test_control_groups_of_the_first_version(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        "5:cpu,cpuacct:/slurm/job\n4:memory:/docker/abc\n1:name=systemd:/\n",
        cpu__slurm__job__cpu_dot_cfs_quota_us="400000",
        cpu__slurm__job__cpu_dot_cfs_period_us="100000",
        cpu__cpu_dot_cfs_quota_us="-1",
        cpu__cpu_dot_cfs_period_us="100000",
        memory__memory_dot_limit_in_bytes=str(3 * GIB),  # inside the container its group is the top
    )
    assert (cpus_here(root), memory_here(root)) == (4, 3 * GIB)


def test_no_limit_is_the_machine(tmp_path: Path) -> None:
    assert (cpus_here(tmp_path), memory_here(tmp_path)) == (8, 64 * GIB)
    unlimited = str(2**63 - 4096)
    root = tree(tmp_path, "4:memory:/\n", memory__memory_dot_limit_in_bytes=unlimited)
    assert memory_here(root) == 64 * GIB


def test_too_little_memory_or_address_space_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_memory()
    monkeypatch.setattr(machine, "memory_here", lambda: GIB // 2)
    with pytest.raises(UserError, match="may use 512 MiB of memory, and a search takes at least 1,024 MiB"):
        check_memory()
    monkeypatch.setattr(machine, "memory_here", lambda: 2 * GIB)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (4 * GIB, 4 * GIB))
    with pytest.raises(UserError, match=r"\(ulimit -v\) is 4,096 MiB.*set ulimit -v unlimited"):
        check_memory()


def raising(code: int) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return function


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("of", "name", "put", "told"),
    [
        (fcntl, "flock", raising(errno.ENOLCK), r"without file locks \(flock\): No locks available"),
        (fcntl, "lockf", raising(errno.EOPNOTSUPP), r"without file locks \(fcntl\): Operation not supported"),
        (os, "symlink", raising(errno.EPERM), "without symbolic links: Operation not permitted"),
        (os, "replace", raising(errno.EPERM), "where files cannot be replaced: Operation not permitted"),
        (os, "fsync", raising(errno.EDQUOT), "cannot write to .*: Disk quota exceeded"),
        (shutil, "disk_usage", lambda path: Disk(GIB, GIB, 2**20), "mounted at .*, is full: it has 1.0 MiB"),
        (shutil, "disk_usage", lambda path: Disk(0, 0, 0), None),
    ],
    ids=["flock", "fcntl", "symlink", "replace", "quota", "full", "size unknown"],
)
def test_what_a_folder_cannot_do(
    of: Any, name: str, put: Any, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lacking(tmp_path) is None
    monkeypatch.setattr(of, name, put)
    if told is None:
        assert lacking(tmp_path) is None
    else:
        assert re.search(told, lacking(tmp_path) or "")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
