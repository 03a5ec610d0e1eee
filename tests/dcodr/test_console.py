"""Output for display never ends a command and never changes its exit code."""

import errno
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console
from rich.progress import track

from dcodr import console
from dcodr.console import Unfailing, unfailing
from dcodr.errors import DivergedError, StorageError, UserError
from tests.streams import Broken

ROOT = Path(__file__).parents[2]

ERRORS = [
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOSPC, "No space left on device"),
    ValueError("I/O operation on closed file"),
    RuntimeError("anything"),
]


def code_of(app: typer.Typer, stream: io.TextIOBase) -> object:
    """Return the exit code of a command whose output and errors go to a stream."""
    with redirect_stdout(stream), redirect_stderr(stream), pytest.raises(SystemExit) as ended:
        console.run(app, [])
    return ended.value.code


def command(error: Exception | None) -> typer.Typer:
    """Return a command that prints, and then raises an error or not."""
    app = typer.Typer()

    @app.command()
    def _() -> None:
        print("a line")
        shown = Console()
        shown.print("[bold]★[/bold]")
        with shown.status("waiting"):
            list(track([1], console=shown))
        typer.echo("★")
        if error is not None:
            raise error

    return app


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (None, 0),
        (UserError("wrong"), 2),
        (StorageError("full"), 1),
        (DivergedError("not finite"), 1),
        (KeyError("defect"), 3),
    ],
    ids=repr,
)
def test_a_broken_stream_changes_no_exit_code(error: Exception, raised: Exception | None, code: int) -> None:
    assert code_of(command(raised), Broken(error)) == code


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_characters_that_an_encoding_lacks_are_replaced(encoding: str) -> None:
    written = io.BytesIO()
    assert code_of(command(None), io.TextIOWrapper(written, encoding)) == 0
    text = written.getvalue().decode(encoding)
    assert text.startswith("a line\n")
    assert ("★" if encoding == "utf-8" else "?") in text


def test_half_a_surrogate_in_a_file_name_is_replaced() -> None:
    written = io.BytesIO()
    stream = Unfailing(io.TextIOWrapper(written, "utf-8"))
    stream.write("\udcff.png\n")
    stream.flush()
    assert written.getvalue() == b"?.png\n"


def test_a_stream_that_recovers_is_written_to_again() -> None:
    class Once(io.StringIO):
        failed = False

        def write(self, text: str) -> int:
            if not self.failed:
                self.failed = True
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

    file = Once()
    shown = unfailing(Console(file=file))
    shown.print("one")
    shown.print("two")
    assert file.getvalue() == "two\n"
    assert unfailing(shown).file is shown.file


PROGRAM = """
import sys, typer
from rich.console import Console
from dcodr.console import run
app = typer.Typer()
@app.command()
def _(lines: int) -> None:
    for i in range(lines):
        print("line", i)
        Console().print("★")
    assert open("opened", "w").fileno() > 2
    raise typer.Exit(1)
run(app)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[list[str]]:
    (tmp_path / "program.py").write_text(PROGRAM)
    yield [sys.executable, str(tmp_path / "program.py")]
    assert (tmp_path / "opened").exists()


@pytest.mark.parametrize("lines", ["1", "20000"])
def test_a_reader_that_stops_reading_ends_nothing(program: list[str], lines: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [*program, lines]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=env)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_standard_output_is_not_taken_for_a_file(program: list[str], tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *program, "2"]
    assert subprocess.run(words, cwd=tmp_path, env=env).returncode == 1


def test_too_little_memory_on_a_gpu_is_no_defect() -> None:
    app = typer.Typer()

    @app.command()
    def _() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")

    errors = io.StringIO()
    with redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        console.run(app, [])
    assert ended.value.code == 1
    assert "the GPU's memory is too small: CUDA out of memory. Tried to" in errors.getvalue()
    assert "This is a bug" not in errors.getvalue()


def test_a_full_disk_is_no_defect(tmp_path: Path) -> None:
    app = typer.Typer()

    @app.command()
    def _() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "file"))

    errors = io.StringIO()
    with redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        console.run(app, [])
    assert ended.value.code == 1
    told = rf"error: cannot write {tmp_path}/file: No space left on device \(the file system "
    assert re.match(told + r"mounted at /\S* has [\d,]+ MiB left\)$", errors.getvalue())
