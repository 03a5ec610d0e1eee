"""``python -m dcodr``."""

from dcodr.cli import app
from dcodr.console import run

if __name__ == "__main__":
    run(app)
