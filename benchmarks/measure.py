"""Measurement of the rows of the table."""

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        work: The measured work.
        reference: Result of the plain version, with its unit.
        ours: Our result.
        ratio: Factor by which ours is better; ``None`` if the goal is absolute.
        goal: The goal in words.
        met: True if the goal is reached.
    """

    work: str
    reference: str
    ours: str
    ratio: float | None
    goal: str
    met: bool


def times_better(work: str, reference: float, ours: float, at_least: float, unit: str = "s") -> Row:
    """Return the row of two times, of which the shorter is better."""
    ratio = reference / ours
    scale = {"s": 1, "ms": 1000}[unit]
    cells = f"{reference * scale:.3g} {unit}", f"{ours * scale:.3g} {unit}"
    return Row(work, *cells, ratio, f">= {at_least:g}x", ratio >= at_least)


def clock() -> float:
    """Return seconds of wall time or, if ``BENCH_CLOCK`` is ``cpu``, of this process's CPU time."""
    return time.process_time() if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter()


def seconds(work: Callable[[], object]) -> float:
    """Return the duration of a call."""
    started = clock()
    work()
    return clock() - started


def interleaved(
    reference: Callable[[], object], ours: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Return the median seconds of both functions, called in turn, after one warm-up call of each."""
    reference()
    ours()
    pairs = [(seconds(reference), seconds(ours)) for _ in range(rounds)]
    one, other = zip(*pairs, strict=True)
    return statistics.median(one), statistics.median(other)


def alone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of a module's function in a fresh process, without memory in use."""
    # "spawn", because a forked process would start with this process's memory.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *args, **kwargs).result()


def peak_memory() -> int:
    """Return the peak of this process's main memory in bytes (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024


def note(text: str) -> None:
    """Print progress on standard error."""
    print(text, file=sys.stderr, flush=True)
