"""Measure correctness and speed on one GPU, in less than 8 minutes.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --only correctness search --out results

* ``correctness``: trainings, codes, views and metrics agree with the CPU's, and no step waits for the GPU.
* ``dcodr_norec`` and ``dcodr``: epochs of a noise dataset of SmallNORB's size, at the paper's settings with
  random weights, in bfloat16, compared with the reference.
* ``four``: four trainings on the GPU against one.
* ``search``: 16 trials, four at a time, through Ray.
* ``compiled``: the same epochs with ``torch.compile``.

Every part runs in a separate process, which is ended when its time is up. The rows that it has found by then
count. ``--out`` writes the table as Markdown and as JSON.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.measure import Row, note
from benchmarks.table import line, table
from dcodr.errors import UserError
from dcodr.training.trainer import resolve_device

PARTS: dict[str, tuple[str, float]] = {
    "correctness": ("benchmarks.gpu_correctness:correctness", 80),
    "dcodr_norec": ("benchmarks.gpu_speed:norec", 65),
    "dcodr": ("benchmarks.gpu_speed:full", 85),
    "four": ("benchmarks.gpu_speed:four", 65),
    "search": ("benchmarks.gpu_search:search", 80),
    "compiled": ("benchmarks.gpu_speed:compiled", 95),
}
"""For each part the function that yields its rows, and its time limit in seconds."""

WORDS = [sys.executable, "-m", "benchmarks.gpu"]


def rows_of(part: str) -> Iterator[Row]:
    """Measure the rows of a part in this process, one after the other."""
    module, name = PARTS[part][0].split(":")
    function: Callable[[], Iterator[Row]] = getattr(importlib.import_module(module), name)
    return function()


def run_part(part: str, limit: float) -> list[Row]:
    """Measure a part in a separate process.

    Args:
        part: One of ``PARTS``.
        limit: Seconds after which the process is ended, together with all processes that it has started.

    Returns:
        Its rows; if it did not finish, the last row says so.
    """
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        found = Path(folder) / "rows.jsonl"
        words = [*WORDS, "--part", part, "--into", str(found)]
        # A session of its own, so that the signal also reaches the processes that the part has started.
        with subprocess.Popen(words, start_new_session=True) as process:
            try:
                status = process.wait(limit)
                trouble = f"ended with exit status {status}" if status else ""
            except subprocess.TimeoutExpired:
                trouble = f"not done within {limit:.0f} s"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        rows = [Row(**json.loads(row)) for row in found.read_text().splitlines()] if found.exists() else []
    return [*rows, Row(part, "", trouble, None, "finishes", False)] if trouble else rows


def measure(parts: Sequence[str]) -> list[Row]:
    """Measure parts and print the progress."""
    began, rows = time.monotonic(), list[Row]()
    for part in parts:
        limit = PARTS[part][1]
        note(f"{time.monotonic() - began:4.0f} s  {part} (at most {limit:.0f} s)")
        rows += run_part(part, limit)
    note(f"{time.monotonic() - began:4.0f} s  done")
    return rows


def write(folder: Path, title: str, rows: Sequence[Row]) -> None:
    """Write the table as ``gpu.md`` and ``gpu.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.md").write_text(f"{title}\n\n{table(list(rows))}\n")
    content = {"title": title, "rows": [asdict(row) for row in rows]}
    (folder / "gpu.json").write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    """Measure and print, or report that there is no GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts to measure")
    parser.add_argument("--out", type=Path, help="folder for gpu.md and gpu.json")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        resolve_device("cuda")
    except UserError as error:
        print(f"benchmarks.gpu: {error}; `make bench` measures the CPU", file=sys.stderr)
        sys.exit(2)
    if arguments.part:
        with arguments.into.open("a") as file:
            for row in rows_of(arguments.part):
                note(line(row))
                print(json.dumps(asdict(row)), file=file, flush=True)
        return
    rows = measure(arguments.only)
    title = f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores, PyTorch {torch.__version__}"
    print(f"{title}\n\n{table(rows)}")
    if arguments.out:
        write(arguments.out, title, rows)
    if any(row.goal == "finishes" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
