"""The table of speed: plain versions compared with ours, benchmark by benchmark.

    python -m benchmarks.table --only views contrastive

Reference and ours take turns within one run, medians are compared, and progress goes to stderr. The whole
table takes about a quarter of an hour on two idle cores. To add a benchmark, add a function to ``ROWS``.
"""

import argparse
import importlib
import os
import time

from benchmarks.measure import Row, alone, note

ROWS = {
    "norec": "benchmarks.steps:norec",
    "full": "benchmarks.steps:full",
    "overhead": "benchmarks.steps:overhead",
    "views": "benchmarks.parts:views",
    "contrastive": "benchmarks.parts:contrastive",
    "retrieval": "benchmarks.parts:neighbours",
    "probes": "benchmarks.probes:probes",
    "dataset": "benchmarks.parts:dataset",
    "turnaround": "benchmarks.platform:turnaround",
    "training-share": "benchmarks.platform:training_share",
    "driver": "benchmarks.platform:driver",
    "startup": "benchmarks.startup:startup",
}
"""Functions that measure and return a list of :class:`benchmarks.measure.Row`, each in a separate process."""


def measured(name: str) -> list[Row]:
    """Measure the rows of a work."""
    module, function = ROWS[name].split(":")
    rows: list[Row] = getattr(importlib.import_module(module), function)()
    return rows


def line(row: Row) -> str:
    """Format a row as Markdown."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    cells = (row.work, row.reference, row.ours, ratio, row.goal, "yes" if row.met else "**no**")
    return f"| {' | '.join(cells)} |"


def table(rows: list[Row]) -> str:
    """Format rows as Markdown, with a header."""
    head = ["| work | reference | ours | ratio | goal | met |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(line, rows)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=ROWS, nargs="+", default=list(ROWS), help="benchmarks to run")
    parser.add_argument("--threads", type=int, default=2, help="threads of both sides")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: CPU time of all threads, for a shared machine; do not compare it with wall time",
    )
    arguments = parser.parse_args()
    # The measuring processes read these when they import torch.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ["BENCH_CLOCK"] = arguments.clock
    rows = []
    for name in arguments.only:
        started = time.perf_counter()
        found = alone(measured, name)
        rows += found
        for row in found:
            note(line(row))
        note(f"{name}: {time.perf_counter() - started:.0f} s, 1-minute load {os.getloadavg()[0]:.1f}")
    print(f"{arguments.threads} threads of {os.cpu_count()} cores, {arguments.clock} time\n\n{table(rows)}")


if __name__ == "__main__":
    main()
