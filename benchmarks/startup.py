"""Rows of start-up: the duration of commands that need no engine."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Row

ROOT = Path(__file__).parents[1]
RUNS = 7
ENGINES = {"torch", "ray", "mlflow", "optuna"}


def startup() -> list[Row]:
    """Measure ``tune.py --help``, and ``--dry-run`` of a space with a misspelt setting, as processes."""
    with tempfile.TemporaryDirectory() as name:
        wrong = Path(name) / "wrong.yaml"
        space = (ROOT / "search_spaces" / "augs.yaml").read_text(encoding="utf-8")
        wrong.write_text(space.replace("temperature:", "temprature:"), encoding="utf-8")
        dry_run = ["--space", str(wrong), "--dry-run"]
        return [
            _row("tune.py --help", ["--help"], 0, 0.5),
            _row("tune.py --dry-run of a wrong space", dry_run, 2, 1),
        ]


def _row(work: str, words: list[str], code: int, at_most: float) -> Row:
    seconds = [seconds_of(words, code) for _ in range(RUNS)]
    engines = imported(words) & ENGINES
    median = statistics.median(seconds)
    ours = f"{median:.2f} s (at most {max(seconds):.2f}), imports {', '.join(sorted(engines)) or 'no engine'}"
    return Row(work, "", ours, None, f"<= {at_most:g} s", median <= at_most and not engines)


def seconds_of(words: list[str], code: int) -> float:
    """Measure the wall seconds of ``tune.py``, which must end with the given code.

    Raises:
        RuntimeError: If it ends with another code: what failed is no measurement.
    """
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "tune.py", *words], cwd=ROOT, capture_output=True)
    seconds = time.perf_counter() - started
    if done.returncode != code:
        raise RuntimeError(f"tune.py {' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
    return seconds


def imported(words: list[str]) -> set[str]:
    """Return the modules that ``tune.py`` imports."""
    command = [sys.executable, "-X", "importtime", "tune.py", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
