"""Rows of speed on one GPU: epochs of a dataset of SmallNORB's size at the paper's settings, in bfloat16.

Images are noise and weights are random. Every measurement runs in a separate process.
"""

import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch

from benchmarks.measure import Row, alone
from benchmarks.reference.training import stepper
from benchmarks.steps import N_DOMAINS, EnoughError, random_dataset, random_weights
from dcodr.config import Config, PerceptualConfig
from dcodr.training.memory import hold_to_share
from dcodr.training.trainer import fit, resolve_device

IMAGES = 24_300
BATCH = 128
STEPS, REFERENCE_STEPS, WARM = 400, 10, 30
QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]


def norec() -> Iterator[Row]:
    """Measure DCoDR-norec."""
    yield from method_rows("dcodr_norec", 2.5)


def full() -> Iterator[Row]:
    """Measure DCoDR."""
    yield from method_rows("dcodr", 6.0)


def method_rows(method: str, goal: float) -> Iterator[Row]:
    """Measure an epoch of a method, compare it with the reference, and measure the GPU's utilisation."""
    config = Config(method=method)
    ours, busy = alone(rate, config, STEPS)
    seconds = IMAGES / ours
    work = f"{method}, epoch of {IMAGES:,} images"
    yield Row(work, "", f"{seconds:.2f} s", None, f"<= {goal} s", seconds <= goal)
    known = "not known" if busy is None else f"{busy:.0%}"
    yield Row(f"{method}, GPU busy", "", known, None, ">= 90 %", busy is not None and busy >= 0.9)
    reference = alone(reference_rate, method == "dcodr")
    cells = f"{reference:,.0f} img/s", f"{ours:,.0f} img/s"
    yield Row(f"{method}, against the reference", *cells, ours / reference, ">= 10x", ours >= 10 * reference)


def compiled() -> Iterator[Row]:
    """Measure the gain of ``torch.compile``, which decides whether it should be the default on a GPU."""
    for method in ("dcodr_norec", "dcodr"):
        config = Config(method=method)
        plain, _ = alone(rate, config, STEPS // 2)
        faster, _ = alone(rate, config.model_copy(update={"compile": True}), STEPS // 2)
        cells = f"{plain:,.0f} img/s", f"{faster:,.0f} img/s"
        goal = "to be the default: > 1x"
        yield Row(f"{method}, compiled against not", *cells, faster / plain, goal, faster > plain)


def four() -> Iterator[Row]:
    """Compare four concurrent trainings on one GPU, each limited to its share of the memory, with one."""
    config = Config(method="dcodr_norec")
    one, _ = alone(rate, config, STEPS)
    context = get_context("spawn")
    with ProcessPoolExecutor(4, context, meet, (context.Barrier(4),)) as trials:
        together = sum(images for images, _ in trials.map(rate, [config] * 4, [STEPS] * 4, [0.24] * 4))
    cells = f"{one:,.0f} img/s", f"{together:,.0f} img/s"
    yield Row("4 trainings on one GPU against 1", *cells, together / one, ">= 2x", together >= 2 * one)


def rate(config: Config, n: int, share: float = 1.0) -> tuple[float, float | None]:
    """Measure images per second of ``fit`` over ``n`` steps, and the share of that time with a busy GPU."""
    hold_to_share(share)
    device = resolve_device("cuda")
    moments: list[float] = []
    watch = Watch()
    done = 0

    def on_step(step: int, total: int) -> None:
        nonlocal done
        done += 1
        # The clock starts and stops when the GPU has finished its queue, after some warm-up steps. Concurrent
        # trainings start together.
        if done == WARM:
            torch.cuda.synchronize(device)
            if _together is not None:
                _together.wait()
            watch.start()
            moments.append(time.perf_counter())
        if done == WARM + n:
            torch.cuda.synchronize(device)
            moments.append(time.perf_counter())
            raise EnoughError

    with tempfile.TemporaryDirectory() as folder, suppress(EnoughError):
        perceptual = PerceptualConfig(weights=str(random_weights(Path(folder))), normalise=False)
        # More epochs than the measurement needs, and no evaluation: `on_step` ends the training.
        lasting = {"epochs": 10_000, "evaluate_every": 10_000, "device": "cuda", "precision": "bfloat16"}
        settings = {"perceptual": perceptual, **lasting}
        fit(config.model_copy(update=settings), random_dataset(IMAGES // N_DOMAINS), on_step=on_step)
    return n * BATCH / (moments[1] - moments[0]), watch.busy()


def reference_rate(reconstruct: bool) -> float:
    """Measure images per second of the reference on the same GPU."""
    data = random_dataset()
    step = stepper(data.images, data.domain, reconstruct, resolve_device("cuda"))
    for _ in range(3):
        step()
    started = time.perf_counter()
    for _ in range(REFERENCE_STEPS):
        step()  # returns the loss as a number, so it waits for the device
    return REFERENCE_STEPS * BATCH / (time.perf_counter() - started)


class Watch(threading.Thread):
    """A thread that reads the GPU's utilisation from nvidia-smi until :meth:`busy` is called."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Read five times per second until nvidia-smi fails."""
        with suppress(OSError, subprocess.CalledProcessError, ValueError):
            while not self.over.wait(0.2):
                self.found.append(float(subprocess.check_output(QUERY, text=True).splitlines()[0]) / 100)

    def busy(self) -> float | None:
        """Stop, and return the median share; ``None`` without any reading."""
        self.over.set()
        self.join()
        return statistics.median(self.found) if self.found else None


_together: Barrier | None = None


def meet(barrier: Barrier) -> None:
    """Make this process start measuring together with the others."""
    global _together
    _together = barrier
