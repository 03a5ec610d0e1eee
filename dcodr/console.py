"""The start and end of the command lines: output that never fails, clean messages, exit codes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dcodr.errors import DivergedError, StorageError, UserError
from dcodr.files import disk_failure

AT_ONCE = 1.0
"""Seconds in which the same stop may arrive twice: some programs signal a process and then its group."""
if TYPE_CHECKING:
    from rich.console import Console

NOWHERE = Path(os.devnull)
_HELP = "Show where in the program an error comes from."


def printable(text: str) -> str:
    """A text with its control characters spelled out, so that a file's content cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


class Unfailing:
    """A text stream for what is only shown: nothing that happens to it stops the program.

    Characters that its encoding lacks are replaced. What it cannot take, because its reader or its terminal
    is gone or a disk is full, is dropped; the next write is tried again.

    Args:
        stream: The stream; ``None``, as Python has it where there is none, takes nothing.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        # An open file also keeps a closed descriptor 1 or 2 from becoming that of a search's file.
        self._stream = NOWHERE.open("w", encoding="utf-8") if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str | bytes) -> int:
        """Write as much of a text as the stream can take; typer writes some texts as UTF-8."""
        with suppress(Exception):
            shown = text if isinstance(text, str) else text.decode(errors="replace")
            try:
                self._stream.write(shown)
            except UnicodeEncodeError:
                encoding = getattr(self._stream, "encoding", None) or "ascii"
                self._stream.write(shown.encode(encoding, "replace").decode(encoding))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Hand on what was written, if the stream takes it."""
        with suppress(Exception):
            self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        with suppress(Exception):
            return self._stream.isatty()
        return False

    def end(self) -> None:
        """Flush for the last time; keep Python from failing at what could not be written when it exits."""
        try:
            self._stream.flush()
        except Exception:
            with suppress(Exception), NOWHERE.open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


def unfailing(console: "Console") -> "Console":
    """Have a console write through :class:`Unfailing`.

    Args:
        console: The console, which is changed.
    """
    if not isinstance(cast(object, console.file), Unfailing):
        console.file = cast(TextIO, Unfailing(console.file))
    return console


@contextmanager
def _unfailing_streams() -> Iterator[None]:
    """Let all that is printed go through :class:`Unfailing`."""
    out, err = Unfailing(sys.stdout), Unfailing(sys.stderr)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        try:
            yield
        finally:
            out.end()
            err.end()


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n\n".join(["Example:" if len(commands) == 1 else "Examples:", *commands])


def run(app: typer.Typer, words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, and end the process.

    Exit code 0 is success; 1 a training or a disk that failed, or whatever the command calls so; 2 wrong
    input; 3 a defect of the program; 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP. An error is one message on standard
    error, with ``--debug`` a traceback. A terminal or a pipe that fails changes none of them.

    Args:
        app: The commands; each gets the option ``--debug``. Options for a shell's completion are only kept
            where the program has a name that a shell can complete after.
        words: What was given; by default the process's arguments.
    """
    command = get_command(app)
    if Path(sys.argv[0]).suffix == ".py":
        command.params = [option for option in command.params if not str(option.name).endswith("_completion")]
    asked: list[bool] = []

    def note(debug: bool) -> None:
        asked.append(debug)

    option = typer.Option("--debug", callback=note, expose_value=False, help=_HELP)
    for leaf in _leaves(command):
        leaf.params += _params(option)
    with _unfailing_streams():
        try:
            with _stoppable():
                sys.exit(command(words))
        except Exception as error:
            if any(asked):
                raise
            message, code = _told(error)
            print(f"error: {printable(message)}", file=sys.stderr)
            sys.exit(code)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, which schedulers and closed terminals send, stop a command as Ctrl-C does.

    The process ends with 128 and the signal's number. A further signal ends it at once. A signal that is
    ignored, as SIGHUP is under ``nohup``, stays so.
    """
    came: list[tuple[int, float]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append((number, time.monotonic()))
        if len(came) == 1:
            raise KeyboardInterrupt
        if came[-1][1] - came[0][1] > AT_ONCE:
            os._exit(128 + number)

    here = threading.current_thread() is threading.main_thread()
    signals = [signal.SIGTERM, signal.SIGHUP] if here else []
    before = {one: signal.signal(one, stop) for one in signals if signal.getsignal(one) == signal.SIG_DFL}
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        if not came:
            raise
        raise SystemExit(128 + came[0][0]) from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _params(option: Any) -> list[Any]:
    """An option as the parameters of a command that has it alone."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def _(value: Annotated[bool, option] = False) -> None: ...

    return get_command(app).params


def _told(error: Exception) -> tuple[str, int]:
    """What a user reads of an exception, and the exit code."""
    if isinstance(error, UserError):
        return str(error), 1 if isinstance(error, StorageError) else 2
    if (failure := disk_failure(error)) is not None:
        return failure, 1
    if isinstance(error, DivergedError):
        return f"{error}; try a lower learning rate", 1
    return f"{type(error).__name__}: {error}\nThis is a defect; --debug shows where it comes from", 3


def _leaves(command: object) -> Iterator[TyperCommand]:
    """The commands that do something."""
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            yield from _leaves(below)
    elif isinstance(command, TyperCommand):
        yield command
