"""Locations of files, and atomic writes: a file is either written completely or left unchanged."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from dcodr.errors import StorageError, UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
FAILING = (*FULL, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE)
"""Error numbers of the system that indicate a failed disk, not a wrong request."""
IMAGENET = "imagenet"
"""Value of a ``weights`` setting that selects torchvision's published weights."""
CHECKPOINT = "checkpoint.pt"
"""The checkpoint of a training, in the training's folder."""


def default_store(name: str) -> Path:
    """Return the default path of a dataset's store."""
    return Path("data") / f"{name}.h5"


def shipped(package: Path, name: str) -> Path:
    """Find a folder shipped with a package: inside the package if installed, beside it in a clone."""
    within = package / name
    return within if within.is_dir() else package.parent / name


def is_uri(text: str | None) -> bool:
    """Tell whether a text is a URI, e.g. ``s3://bucket/cars3d.h5``, not a path."""
    return text is not None and "::" not in text and re.match(r"[a-z][a-z0-9+.-]*://", text) is not None


def cached(uri: str) -> Path:
    """Return the local path of a file at a URI, below ``$DCODR_CACHE`` or by default ``~/.cache/dcodr``."""
    # The hash separates files of the same name at different URIs.
    folder = os.environ.get("DCODR_CACHE") or Path.home() / ".cache" / "dcodr"
    name = urlsplit(uri).path.rsplit("/", 1)[-1] or "store"
    return Path(folder) / hashlib.sha256(uri.encode()).hexdigest()[:16] / name


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Provide a temporary path to write to, which replaces ``path`` at the end unless an error occurs.

    After any interruption ``path`` holds either its old or its new content. Its folder is created.

    Raises:
        UserError: If the file cannot be written.
        StorageError: If the disk is the reason, e.g. because it is full.
    """
    # In the same folder, because a rename is atomic only within a file system. The name is unique, so that
    # processes that write the same file do not disturb each other.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            put_in_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors while a file is written into a :class:`UserError` that names the file.

    Raises:
        UserError: If the file cannot be written.
        StorageError: If the disk is the reason, e.g. because it is full.
    """
    try:
        yield
    except OSError as error:
        # Libraries that write files themselves raise OSError without an error number.
        kind = StorageError if error.errno in (None, *FAILING) else UserError
        raise kind(f"cannot write {path}: {reason(path, error)}") from error


def put_in_place(temporary: Path, path: Path) -> None:
    """Replace a file by another one of the same file system, so that a power failure loses neither."""
    # Flush the content before the rename and the folder after it. Otherwise a power failure could leave the
    # new name with missing content, or lose the rename.
    _flush(temporary)
    temporary.replace(path)
    _flush(path.parent)


def reason(path: Path, error: OSError) -> str:
    """Describe why a path cannot be written; name the file system if it is full."""
    told = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (None, *FULL):
        mount, free = file_system(path)
        told += f" (the file system mounted at {mount} has {free / 2**20:,.0f} MiB left)"
    return told


def disk_failure(error: BaseException) -> str | None:
    """Describe a failed write if a disk caused the error, otherwise return ``None``."""
    if not isinstance(error, OSError) or error.errno not in FAILING:
        return None
    path = error.filename
    return f"cannot write {path}: {reason(Path(str(path)), error)}" if path else str(error)


def file_system(path: Path) -> tuple[Path, int]:
    """Return the mount point of a path's file system, and its free bytes; the path may be missing."""
    nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    mount = next(folder for folder in (nearest, *nearest.parents) if folder.is_mount())
    return mount, shutil.disk_usage(nearest).free


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, completely or not at all.

    Raises:
        UserError: If the file cannot be written.
    """
    with appearing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
