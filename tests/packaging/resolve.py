"""The check that all requirements exist for a Python: ``python -m tests.packaging.resolve``; needs PyPI.

For every Python of the classifiers, pip resolves the dependencies, those of every optional part too, except
those of a benchmark, to wheels, and installs none. Exit code 1 if it cannot for one.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
PYTHONS = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if " :: Python :: 3." in text]
"""The Pythons that are promised, the oldest first."""

BENCHMARK = {"peers", "neps"}
"""Extras of ``make bench-peers``: they exclude each other, and SMAC3 has no wheels."""


def resolved(python: str, requirements: list[str]) -> bool:
    """Return whether pip finds wheels of all requirements for a Python; print the found or missing ones."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["install", "--dry-run", "--ignore-installed", "--quiet", "--only-binary=:all:"]
        words += ["--python-version", python, "--target", folder, "--report", f"{folder}/found.json"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words, *requirements], capture_output=True, text=True
        )
    reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1:]
    print(f"Python {python}: {'resolved' if done.returncode == 0 else reason}", flush=True)
    return done.returncode == 0


def main() -> int:
    """Resolve for all Pythons."""
    optional = [
        text
        for part, texts in PROJECT["optional-dependencies"].items()
        if part not in BENCHMARK
        for text in texts
    ]
    requirements = PROJECT["dependencies"] + [text for text in optional if "dcodr-tuning" not in text]
    found = [resolved(python, requirements) for python in PYTHONS]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
