"""Entry point of ``python -m dcodr``."""

from dcodr.cli import app
from dcodr.console import run


def main() -> None:
    """Run the command line."""
    run(app)


if __name__ == "__main__":
    main()
