"""``python -m tuning``."""

from dcodr.console import run
from tuning.cli import app


def main() -> None:
    """Run the command line."""
    run(app)


if __name__ == "__main__":
    main()
