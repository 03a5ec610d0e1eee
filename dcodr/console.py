"""How the command lines end: clean messages and exit codes."""

import sys

import typer

from dcodr.errors import DivergedError, UserError


def printable(text: str) -> str:
    """A text with its control characters spelled out, so that a file's content cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def run(app: typer.Typer) -> None:
    """Run a command line.

    Wrong input ends it with one message on standard error and exit code 2, a failed training with 1.
    """
    try:
        app()
    except UserError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except DivergedError as error:
        print(f"error: {error}; try a lower learning rate", file=sys.stderr)
        sys.exit(1)
