"""How the rows of the table are measured."""

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
        work: What is done.
        reference: What the plain version takes or reaches, with its unit.
        ours: What ours does.
        ratio: How many times ours is better; ``None`` where the goal is absolute.
        goal: The goal in words.
        met: Whether it is reached.
    """

    work: str
    reference: str
    ours: str
    ratio: float | None
    goal: str
    met: bool


def times_better(work: str, reference: float, ours: float, at_least: float, unit: str = "s") -> Row:
    """The row of two times, of which the shorter is better."""
    ratio = reference / ours
    scale = {"s": 1, "ms": 1000}[unit]
    cells = f"{reference * scale:.3g} {unit}", f"{ours * scale:.3g} {unit}"
    return Row(work, *cells, ratio, f">= {at_least:g}x", ratio >= at_least)


def clock() -> float:
    """Seconds: of the wall, or, if ``BENCH_CLOCK`` is ``cpu``, of CPU time of all threads of this process."""
    return time.process_time() if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter()


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = clock()
    work()
    return clock() - started


def interleaved(
    reference: Callable[[], object], ours: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """The median seconds of both, in turn, after a call of each to warm up."""
    reference()
    ours()
    pairs = [(seconds(reference), seconds(ours)) for _ in range(rounds)]
    one, other = zip(*pairs, strict=True)
    return statistics.median(one), statistics.median(other)


def alone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a module's function in a process of its own, which begins with no memory in use."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *args, **kwargs).result()


def peak_memory() -> int:
    """The most bytes of main memory that this process has held (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024


def note(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)
