"""How the command lines end: clean messages and exit codes."""

import sys

import typer

from dcodr.errors import DivergedError, UserError


def run(app: typer.Typer) -> None:
    """Run a command line.

    Wrong input ends it with one message on standard error and exit code 2, a failed training with 1.
    """
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except DivergedError as error:
        print(f"error: {error}; try a lower learning rate", file=sys.stderr)
        sys.exit(1)
