"""Readers of binary files in a process of their own, which may crash or hang without the tests."""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from select import select
from types import TracebackType

SECONDS = 20
"""Seconds that a reader may take for a file of a few kilobytes."""
MEMORY = 6 << 30
"""Address space of the process in bytes; PyTorch alone takes some."""


def read_store(path: Path) -> None:
    """Open a store, verify it, and touch all that it holds."""
    from dcodr.data.store import open_store

    data = open_store(path)
    assert data.images.sum() >= 0
    assert len(data.spec.domains) > data.domain.max()


def read_checkpoint(path: Path) -> None:
    """Load a checkpoint."""
    from dcodr.training.checkpoint import load_checkpoint

    load_checkpoint(path)


READERS: dict[str, Callable[[Path], None]] = {
    "store": read_store,
    "checkpoint": read_checkpoint,
}


class ReaderProcess:
    """A process that reads files of one kind, started anew after a crash.

    Args:
        kind: Which of ``READERS``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "fuzzed"
        self._start()

    def __enter__(self) -> "ReaderProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self.folder.cleanup()

    def outcome(self, content: bytes) -> str:
        """Read a file; return ``ok``, ``refused``, or a description of the failure."""
        self.path.write_bytes(content)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.path}\n")
        self.process.stdin.flush()
        answered, _, _ = select([self.process.stdout], [], [], SECONDS)
        answer = self.process.stdout.readline() if answered else ""
        if answer:
            return str(json.loads(answer))
        how = f"died with code {self.process.wait()}" if answered else f"no answer within {SECONDS} s"
        self._stop()
        self._start()
        return how

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.safety.reader_process", self.kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def _stop(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.kill()
        self.process.wait()


def _main() -> None:
    from dcodr.errors import UserError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    read = READERS[sys.argv[1]]
    for line in sys.stdin:
        try:
            read(Path(line.rstrip("\n")))
            answer = "ok"
        except UserError:
            answer = "refused"
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
