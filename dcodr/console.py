"""How the command lines end: clean messages and exit codes."""

import sys

import typer

from dcodr.errors import UserError


def run(app: typer.Typer) -> None:
    """Run a command line; wrong input ends it with one message on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
