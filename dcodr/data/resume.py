"""Preparation of a store that continues after Ctrl-C, a kill or a power failure.

While ``toys.h5`` is prepared, ``toys.h5.partial`` is a folder of three files: ``store.h5``, the store with
the images that are done; ``done``, a line for the labels and settings, and one for each batch of images with
their number, the SHA-256 of their pixels and that of the names, sizes and times of their files; and ``lock``,
which keeps a second process out.
"""

import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import PIL
from filelock import FileLock, Timeout

from dcodr.data.layout import FORMAT_VERSION, Content, Filling, lay_out
from dcodr.data.sources.squares import Squares
from dcodr.data.store import require_space
from dcodr.errors import UserError
from dcodr.files import put_in_place, writing
from dcodr.words import counted

PREPARED = "prepared"
"""The entry of the provenance that differs between two preparations of the same data."""
_LINE = re.compile(r"([0-9]{1,9}) ([0-9a-f]{64}) ([0-9a-f]{64})\n")


def partial_folder(path: Path) -> Path:
    """Return the folder of the unfinished preparation of a store."""
    return path.with_name(f"{path.name}.partial")


class _Batch(NamedTuple):
    """Images that are done."""

    n_images: int
    pixels: str
    identity: str

    def line(self) -> str:
        return f"{self.n_images} {self.pixels} {self.identity}\n"


def write_resumably(path: Path, content: Content, squares: Squares, say: Callable[[str], object]) -> None:
    """Write a store, or continue to write it where an earlier call with the same arguments stopped.

    The result is the same as without an interruption. Images that are done are compared with their checksums,
    and are read again from the first one on whose file has changed. An older file is replaced at the end. The
    squares have an identity. ``say`` is called with a message if earlier work is continued or replaced.

    Raises:
        UserError: If an image cannot be read, another process prepares the same store, or it cannot be
            written.
    """
    folder = partial_folder(path)
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "lock", timeout=0):
                _fill(folder, content, squares, _key(content, squares.size), say)
                put_in_place(folder / "store.h5", path)
                shutil.rmtree(folder)
        except Timeout:
            raise UserError(f"another process is preparing {path}: wait for it, or stop it") from None
        except BaseException:
            if not _batches(folder / "done"):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _key(content: Content, image_size: int) -> str:
    """Return a digest of all that determines the store, except the images and the time of its preparation."""
    lasting = {name: value for name, value in content.provenance.items() if name != PREPARED}
    digest = content.digest()
    digest.update(repr((FORMAT_VERSION, image_size, sorted(lasting.items()), PIL.__version__)).encode())
    return digest.hexdigest()


def _fill(folder: Path, content: Content, squares: Squares, key: str, say: Callable[[str], object]) -> None:
    store, journal = folder / "store.h5", folder / "done"
    _begin(store, journal, content, squares.size, key, say)
    with Filling(store, content) as filling:
        kept = _kept(filling, _batches(journal), squares)
        if kept:
            total = counted(len(content.domain), "image")
            say(f"continuing: {filling.done:,} of {total} are in {folder} already")
        # Drops the half of a line at the end, and batches whose images have changed.
        journal.write_text("".join([f"{key}\n", *(batch.line() for batch in kept)]))
        with journal.open("a") as lines:
            for chunk in squares.start_at(filling.done):
                rows = range(filling.done, filling.done + len(chunk))
                filling.append(chunk)
                filling.flush()
                pixels = hashlib.sha256(chunk.data).hexdigest()
                lines.write(_Batch(len(chunk), pixels, _identity(squares, rows)).line())
                lines.flush()
        filling.seal()


def _begin(
    store: Path, journal: Path, content: Content, image_size: int, key: str, say: Callable[[str], object]
) -> None:
    """Lay out the store, unless one for the same labels and settings is there."""
    if store.is_file() and journal.is_file():
        with journal.open(errors="replace") as lines:
            if next(lines, "") == f"{key}\n":
                return
        say(f"{store.parent} was begun with other labels or settings: starting again")
    journal.unlink(missing_ok=True)
    store.unlink(missing_ok=True)
    require_space(store.parent, len(content.domain) * 3 * image_size**2, content.spec.name)
    lay_out(store, content, image_size)
    journal.write_text(f"{key}\n")


def _kept(filling: Filling, batches: list[_Batch], squares: Squares) -> list[_Batch]:
    """Return the batches, from the first one on, that are in place and whose images have not changed."""
    kept = []
    for batch in batches:
        rows = range(filling.done, min(filling.done + batch.n_images, len(squares.pictures)))
        if _identity(squares, rows) != batch.identity or not filling.keep(batch.n_images, batch.pixels):
            break
        kept.append(batch)
        squares.tell(filling.done)
    return kept


def _batches(journal: Path) -> list[_Batch]:
    """Read the batches that were done."""
    with suppress(FileNotFoundError), journal.open(errors="replace") as lines:
        return [_Batch(int(found[1]), found[2], found[3]) for found in map(_LINE.fullmatch, lines) if found]
    return []


def _identity(squares: Squares, rows: range) -> str:
    assert squares.identity is not None
    return squares.identity(rows)
