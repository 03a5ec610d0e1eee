"""``python -m tuning``."""

from dcodr.console import run
from tuning.cli import app

if __name__ == "__main__":
    run(app)
