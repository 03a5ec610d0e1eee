"""Images of any origin, read as squares by all cores; few are in memory at a time."""

import hashlib
import math
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dcodr.data.dataset import FitMode, Images
from dcodr.data.sources.image_files import Picture, square
from dcodr.data.sources.images import Progress
from dcodr.data.sources.table import combined
from dcodr.errors import UserError

BATCH, BATCH_BYTES = 64, 2**20
"""Most images that a core reads at once, and most bytes unless a single image is larger."""
AHEAD = 2
"""Batches per core that are in memory."""
FEW = 2048
"""Number of images up to which threads are fast enough, and processes not worth their start."""
_alone: AbstractContextManager[object] = threading.Lock()
"""Is held while a large image is in memory; shared by the processes that read images."""


class _Batch(NamedTuple):
    """The images that can be read, with notes about some; positions and reasons of the unreadable ones."""

    images: Images
    notes: list[tuple[int, str]]
    failures: list[tuple[int, str]]


@dataclass(frozen=True)
class Squares:
    """Images that are read when they are asked for, from any position on.

    Attributes:
        pictures: The images; see :func:`dcodr.data.sources.image_files.square`.
        size: Height and width to resize to, in pixels.
        fit: How a rectangular image becomes a square.
        complain: Makes an error from a position in ``pictures`` and a message.
        warn: Called once with each kind of note about an image.
        on_progress: Called with the number of images read and of all images.
        processes: True if many images are read by processes, which use all cores, where threads wait for
            each other. A script that reads so needs ``if __name__ == "__main__":``.
        identity: Returns, for the images at some positions, a hexadecimal SHA-256 that changes if they may
            have changed; ``None`` if that cannot be told.
        on_unreadable: Called with the position of an image that cannot be read and the reason; such images
            are then left out.

    Yields:
        ``(n, size, size, 3)`` RGB, in order.

    Raises:
        UserError: If images cannot be read, and there is no ``on_unreadable``; all are read first.
    """

    pictures: Sequence[Picture]
    size: int
    fit: FitMode
    complain: Callable[[int, str], UserError]
    warn: Callable[[str], object]
    on_progress: Progress | None = None
    processes: bool = False
    identity: Callable[[range], str] | None = None
    on_unreadable: Callable[[int, str], object] | None = None

    def __iter__(self) -> Iterator[Images]:
        return self.start_at(0)

    def start_at(self, first: int) -> Iterator[Images]:
        """Read the images from a position on."""
        cores, left = os.cpu_count() or 1, len(self.pictures) - first
        most = min(BATCH, BATCH_BYTES // (3 * self.size**2), math.ceil(left / (AHEAD * cores)))
        said: set[str] = set()
        unreadable: list[UserError] = []
        pool = _pool(cores, self.processes and left > FEW)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                for start, batch in self._in_order(pool, first, max(1, most), AHEAD * cores):
                    self._say(batch, start, said)
                    for row, why in batch.failures:
                        if self.on_unreadable is None:
                            unreadable.append(self.complain(start + row, why))
                        else:
                            self.on_unreadable(start + row, why)
                    # After a failure the rest is read to name all unreadable images at once.
                    if len(batch.images) and not unreadable:
                        yield batch.images
                    self.tell(start + len(batch.images) + len(batch.failures))
            if unreadable:
                raise combined(unreadable, "unreadable images")
        except BrokenProcessPool as error:
            raise UserError(
                "a process that reads images has ended, probably because memory ran out; run the same again "
                "to continue. A script that prepares images needs `if __name__ == '__main__':`"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)

    def tell(self, done: int) -> None:
        """Report progress."""
        if self.on_progress:
            self.on_progress(done, len(self.pictures))

    def _in_order(self, pool: Executor, first: int, most: int, ahead: int) -> Iterator[tuple[int, _Batch]]:
        """Have batches read, and yield them with their first position; only ``ahead`` are in memory."""
        waiting: deque[tuple[int, Future[_Batch]]] = deque()
        for start in range(first, len(self.pictures), most):
            rows = range(start, min(start + most, len(self.pictures)))
            pictures = [self.pictures[row] for row in rows]
            waiting.append((start, pool.submit(_read, pictures, self.size, self.fit)))
            if len(waiting) >= ahead:
                start, future = waiting.popleft()
                yield start, future.result()
        for start, future in waiting:
            yield start, future.result()

    def _say(self, batch: _Batch, start: int, said: set[str]) -> None:
        for row, note in batch.notes:
            kind = note.split(":")[-1]
            if kind not in said:
                said.add(kind)
                self.warn(f"{self._name(start + row)} {note}")

    def _name(self, row: int) -> str:
        picture = self.pictures[row]
        return str(picture) if isinstance(picture, Path) else f"image {row}"


def files_identity(paths: Sequence[Path]) -> str:
    """Return a SHA-256 that changes if one of some files may have changed: of names, sizes and times."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path}\n{stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _pool(cores: int, processes: bool) -> Executor:
    if not processes:
        return ThreadPoolExecutor(cores)
    # Not forked: a fork of a process that has threads, as PyTorch's, may wait for a lock for ever.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(cores, context, initializer=_begin, initargs=(context.Lock(),))


def _begin(alone: AbstractContextManager[object]) -> None:
    """Prepare a process that reads images."""
    global _alone
    _alone = alone
    # Pillow warns of large images, and refuses those that could fill the memory. The refusal is enough.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the first one handles it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _read(pictures: list[Picture], size: int, fit: FitMode) -> _Batch:
    """Read a batch of images, in a thread or process."""
    images = np.empty((len(pictures), size, size, 3), np.uint8)
    notes: list[tuple[int, str]] = []
    failures: list[tuple[int, str]] = []
    for row, picture in enumerate(pictures):
        try:
            images[row - len(failures)] = square(
                picture,
                size,
                fit,
                alone=_alone,
                note=lambda what, row=row: notes.append((row, what)),  # type: ignore[misc]
            )
        # A damaged file makes decoders raise many kinds of exceptions.
        except Exception as error:
            name = str(picture) if isinstance(picture, Path) else "it"
            failures.append((row, f"{name} {_why(error)}"))
    return _Batch(images[: len(pictures) - len(failures)], notes, failures)


def _why(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"has more than the {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels that are read: scale it down"
    if isinstance(error, MemoryError):
        return "needs more memory than there is: scale it down"
    return f"is not an image that can be read ({error})"
