"""Start and end of the command lines: output that never fails, clean messages, exit codes."""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dcodr.errors import DivergedError, StorageError, UserError
from dcodr.files import disk_failure
from dcodr.words import for_a_shell

AT_ONCE = 1.0
"""Seconds within which the same stop may arrive twice: some programs signal a process and then its group."""
if TYPE_CHECKING:
    from rich.console import Console

NOWHERE = Path(os.devnull)
DISTRIBUTION = "dcodr-tuning"
"""Name of the package as it is installed."""


def printable(text: str) -> str:
    """Escape control characters in a text, so that a file's content cannot control the terminal."""
    # `repr` escapes a control character; the slice drops the quotes.
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


class Unfailing:
    """A text stream for display only, whose failures never stop the program.

    Characters that its encoding lacks are replaced. Text that cannot be written, because the reader or the
    terminal is gone or a disk is full, is dropped. The next write is attempted again.

    Args:
        stream: The stream. ``None``, which Python uses for a missing stream, discards everything.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        # An open file also occupies a closed descriptor 1 or 2, which a search's file could otherwise get.
        self._stream = NOWHERE.open("w", encoding="utf-8") if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str | bytes) -> int:
        """Write as much of a text as the stream accepts; typer writes some texts as UTF-8 bytes."""
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
        """Flush the stream if possible."""
        with suppress(Exception):
            self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        with suppress(Exception):
            return self._stream.isatty()
        return False

    def end(self) -> None:
        """Flush for the last time, so that Python does not fail on unwritten text when it exits."""
        try:
            self._stream.flush()
        except Exception:
            # Python flushes the stream again at exit. Send the rest to the null device.
            with suppress(Exception), NOWHERE.open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


def unfailing(console: "Console") -> "Console":
    """Make a console write through :class:`Unfailing`, in place."""
    if not isinstance(cast(object, console.file), Unfailing):
        console.file = cast(TextIO, Unfailing(console.file))
    return console


@contextmanager
def _unfailing_streams() -> Iterator[None]:
    """Send everything printed through :class:`Unfailing`."""
    out, err = Unfailing(sys.stdout), Unfailing(sys.stderr)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        try:
            yield
        finally:
            out.end()
            err.end()


def examples(*commands: str) -> str:
    """Return the examples at the end of a command's help."""
    return "\n\n".join(["Example:" if len(commands) == 1 else "Examples:", *commands])


def warn(message: str) -> None:
    """Print a warning on standard error."""
    print(f"warning: {printable(message)}", file=sys.stderr)


def note(message: str) -> None:
    """Print what the user should know, though nothing is wrong, on standard error."""
    print(f"note: {printable(message)}", file=sys.stderr)


def say(console: "Console", text: str) -> None:
    """Print a text to a console as it is, without markup, coloured numbers or added line breaks."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(name: str, console: "Console | None" = None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, by default on standard error; yield a function of the steps done and of all steps."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=console or Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def run(app: typer.Typer, words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, and end the process.

    Exit codes: 0 success; 1 a failed training, a failed disk, or a failure that the command reports; 2 wrong
    input; 3 a defect of the program; 130 Ctrl-C; 143 SIGTERM; 129 SIGHUP. An error prints one message on
    standard error, with ``--debug`` a traceback. A broken terminal or pipe does not change the exit code.

    Args:
        app: The commands; each gets ``-h``, ``--debug`` and ``--plugins``, the first one also ``--version``.
            Options for shell completion are removed from scripts (``*.py``), which a shell cannot complete.
        words: The command line; by default the process's arguments.
    """
    command = get_command(app)
    if Path(sys.argv[0]).suffix == ".py":
        command.params = [option for option in command.params if not str(option.name).endswith("_completion")]
    asked: list[bool] = []

    def note(debug: bool) -> None:
        asked.append(debug)

    def permit(packages: list[str] | None) -> None:
        if packages:
            # Imported here, as shell completion and --help do not need it.
            from dcodr.plugins import allow

            allow(packages)

    debugging = typer.Option(
        "--debug", callback=note, expose_value=False, help="Show the traceback of an error."
    )
    allowing = typer.Option(
        "--plugins",
        metavar="PACKAGE",
        callback=permit,
        expose_value=False,
        help="Allow the code of an installed package of your own parts; may be repeated.",
    )
    versioning = typer.Option(
        "--version", callback=_version, expose_value=False, is_eager=True, help="Show the version, and exit."
    )

    def common(
        debug: Annotated[bool, debugging] = False, allowed: Annotated[list[str] | None, allowing] = None
    ) -> None: ...

    def first(version: Annotated[bool, versioning] = False) -> None: ...

    for leaf in _leaves(command):
        leaf.params += _params(common)
        _plain_usage(leaf)
    command.params += _params(first)
    # Commands below a group take this over.
    command.context_settings["help_option_names"] = ["-h", "--help"]
    with _unfailing_streams(), for_a_shell():
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
    """Make SIGTERM and SIGHUP, which schedulers and closed terminals send, stop a command as Ctrl-C does.

    The process ends with 128 plus the signal's number. A further signal ends it at once. An ignored signal,
    such as SIGHUP under ``nohup``, stays ignored.
    """
    came: list[tuple[int, float]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append((number, time.monotonic()))
        if len(came) == 1:
            raise KeyboardInterrupt
        # Within AT_ONCE it is the same stop, sent to the process and to its group.
        if came[-1][1] - came[0][1] > AT_ONCE:
            os._exit(128 + number)

    # Python allows signal handlers only in the main thread.
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


def _version(asked: bool) -> None:
    """Print the version and end the command, if that was asked for."""
    if asked:
        from importlib.metadata import version

        print(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


def _params(function: Callable[..., None]) -> list[Any]:
    """Return the click parameters of a function with typer's options."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return get_command(app).params


def _told(error: Exception) -> tuple[str, int]:
    """Return the message for an exception, and the exit code."""
    if isinstance(error, UserError):
        return str(error), 1 if isinstance(error, StorageError) else 2
    if (failure := disk_failure(error)) is not None:
        return failure, 1
    if isinstance(error, DivergedError):
        return f"{error}; try a lower learning rate", 1
    if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, which is slow to import
        advice = "for a training, use smaller batches, a smaller encoder or bfloat16; else a GPU that is free"
        return f"the GPU's memory is too small: {str(error).splitlines()[0]}\n{advice}", 1
    return f"{type(error).__name__}: {error}\nThis is a bug; --debug shows the traceback", 3


def _plain_usage(leaf: TyperCommand) -> None:
    """Make the usage of a command show its arguments as they are typed: ``NAME``, not ``{NAME}``."""
    pieces = leaf.collect_usage_pieces
    leaf.collect_usage_pieces = lambda ctx: [re.sub("[{}]", "", piece) for piece in pieces(ctx)]  # type: ignore[method-assign]


def _leaves(command: object) -> Iterator[TyperCommand]:
    """Yield the commands that are not groups."""
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            yield from _leaves(below)
    elif isinstance(command, TyperCommand):
        yield command
