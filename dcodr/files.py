"""Where files are, and files that are either written whole or left as they were."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from dcodr.errors import UserError

IMAGENET = "imagenet"
"""In place of a file of weights: those that torchvision publishes."""
CHECKPOINT = "checkpoint.pt"
"""The checkpoint of a training, in the training's folder."""


def default_store(name: str) -> Path:
    """Where the store of a dataset is unless told otherwise."""
    return Path("data") / f"{name}.h5"


def shipped(package: Path, name: str) -> Path:
    """Where a folder is that comes with a package: within it if it was installed, beside it in a clone.

    Args:
        package: The package's folder.
        name: The folder's name in the clone.
    """
    within = package / name
    return within if within.is_dir() else package.parent / name


def is_uri(text: str | None) -> bool:
    """Whether a text is a URI, e.g. ``s3://bucket/cars3d.h5``, and no path."""
    return text is not None and "::" not in text and re.match(r"[a-z][a-z0-9+.-]*://", text) is not None


def cached(uri: str) -> Path:
    """Where a file at a URI is kept on this machine: below ``$DCODR_CACHE``, or else ``~/.cache/dcodr``."""
    folder = os.environ.get("DCODR_CACHE") or Path.home() / ".cache" / "dcodr"
    return Path(folder) / hashlib.sha256(uri.encode()).hexdigest()[:16] / uri.rsplit("/", 1)[-1]


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to in place of ``path``, which it becomes at the end if nothing was raised.

    Whatever is interrupted, ``path`` holds either its old content or the new one.

    Args:
        path: The file to write; its folder is made.

    Raises:
        UserError: If the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise UserError(f"cannot write {path}: {reason}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        UserError: If it cannot be written.
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
