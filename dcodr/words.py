"""Words in messages: numbers with their nouns, options as the reader can give them."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

_for_a_shell = False


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 trial``, ``24 trials``, ``1,200 images``.

    ``plural`` is the plural, if it is not the noun with an s.
    """
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a duration in words: ``8s``, ``2m30s``, ``26h05m``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    if minutes:
        return f"{minutes}m{seconds:02d}s" if seconds else f"{minutes}m"
    return f"{seconds}s"


@contextmanager
def for_a_shell() -> Iterator[None]:
    """Make messages name options as a command line takes them, not as a Python function does."""
    global _for_a_shell
    before, _for_a_shell = _for_a_shell, True
    try:
        yield
    finally:
        _for_a_shell = before


def for_reader(shell: str, python: str) -> str:
    """Return the first text on a command line (:func:`for_a_shell`), the second one in Python."""
    return shell if _for_a_shell else python


def option(name: str, value: object = None, python: str | None = None) -> str:
    """Return an option as the reader of a message gives it.

    Args:
        name: Its name on the command line, without dashes.
        value: Its value; ``True`` for a flag; ``None`` to name the option alone.
        python: The name of the argument in Python, if it is another one.

    Returns:
        ``--name demo``, ``--resume`` or ``--name`` on a command line; ``name='demo'``, ``resume=True`` or
        ``name=...`` in Python.
    """
    argument = python or name.replace("-", "_")
    if value is None:
        return for_reader(f"--{name}", f"{argument}=...")
    if value is True:
        return for_reader(f"--{name}", f"{argument}=True")
    shown = value if isinstance(value, int | float) else str(value)
    return for_reader(f"--{name} {shlex.quote(str(value))}", f"{argument}={shown!r}")


def once_more(**options: object) -> str:
    """Return advice to repeat the command, or in Python the call, with other options; see :func:`option`."""
    given = [option(name, value) for name, value in options.items()]
    command, call = " ".join(given), ", ".join(given)
    return for_reader(f"run the same command again with {command}", f"make the same call again with {call}")
