"""The table of speed on one GPU, in less than 8 minutes.

    python -m benchmarks.gpu

Epochs of a dataset of SmallNORB's size, of noise, at the paper's settings with random weights, in bfloat16.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch

from benchmarks.measure import Row, alone, note
from benchmarks.reference.training import stepper
from benchmarks.steps import N_DOMAINS, EnoughError, random_dataset, random_weights
from benchmarks.table import table
from dcodr.config import Config, PerceptualConfig
from dcodr.trainer import fit

IMAGES = 24_300
BATCH = 128
EPOCH_GOALS = {"dcodr_norec": 2.5, "dcodr": 6.0}
STEPS, REFERENCE_STEPS, WARM = 600, 10, 30


def rate(config: Config, n: int, share: float = 1.0) -> tuple[float, float]:
    """Images a second of ``fit`` over ``n`` steps, and the share of that time in which the GPU was busy."""
    torch.cuda.set_per_process_memory_fraction(share)
    moments: list[float] = []
    watch = Watch()
    done = 0

    def on_step(step: int, total: int) -> None:
        nonlocal done
        done += 1
        if done == WARM:
            torch.cuda.synchronize()
            if _together is not None:
                _together.wait()
            watch.start()
            moments.append(time.perf_counter())
        if done == WARM + n:
            torch.cuda.synchronize()
            moments.append(time.perf_counter())
            raise EnoughError

    with tempfile.TemporaryDirectory() as folder, suppress(EnoughError):
        perceptual = PerceptualConfig(weights=str(random_weights(Path(folder))), normalise=False)
        lasting = {"epochs": 10_000, "evaluate_every": 10_000, "device": "cuda", "precision": "bfloat16"}
        settings = {"perceptual": perceptual, **lasting}
        fit(config.model_copy(update=settings), random_dataset(IMAGES // N_DOMAINS), on_step=on_step)
    return n * BATCH / (moments[1] - moments[0]), watch.busy()


class Watch(threading.Thread):
    """Asks nvidia-smi how busy the GPU is, until :meth:`busy` asks for the median."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Ask five times a second."""
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self.over.wait(0.2):
            self.found.append(float(subprocess.check_output(query, text=True).splitlines()[0]) / 100)

    def busy(self) -> float:
        """Stop, and return the median share."""
        self.over.set()
        self.join()
        return statistics.median(self.found)


_together: Barrier | None = None


def meet(barrier: Barrier) -> None:
    """Let this process begin to measure when the others do."""
    global _together
    _together = barrier


def reference_rate(reconstruct: bool) -> float:
    """Images a second of the reference on the same GPU."""
    data = random_dataset()
    step = stepper(data.images, data.domain, reconstruct, torch.device("cuda"))
    for _ in range(3):
        step()
    started = time.perf_counter()
    for _ in range(REFERENCE_STEPS):
        step()  # gives the loss as a number, and so waits for the device
    return REFERENCE_STEPS * BATCH / (time.perf_counter() - started)


def method_rows(method: str, goal: float) -> list[Row]:
    """The epoch of a method, beside the reference, what compiling gains, and how busy the GPU is in it."""
    config = Config(method=method)  # type: ignore[arg-type]
    reference = alone(reference_rate, method == "dcodr")
    ours, busy = alone(rate, config, STEPS)
    compiled, _ = alone(rate, config.model_copy(update={"compile": True}), STEPS)
    epochs = IMAGES / reference, IMAGES / ours
    cells = f"{epochs[0]:.1f} s", f"{epochs[1]:.2f} s"
    ratio = ours / reference
    return [
        Row(f"{method}, epoch of {IMAGES:,} images", *cells, ratio, f"<= {goal} s", epochs[1] <= goal),
        Row(f"{method}, against the reference", "", "", ratio, ">= 10x", ratio >= 10),
        Row(
            f"{method}, compiled against not",
            f"{ours:,.0f} img/s",
            f"{compiled:,.0f} img/s",
            compiled / ours,
            "to be the default: > 1x",
            compiled > ours,
        ),
        Row(f"{method}, GPU busy", "", f"{busy:.0%}", None, ">= 90 %", busy >= 0.9),
    ]


def shared_row() -> Row:
    """Four trainings at once on one GPU against one."""
    config = Config(method="dcodr_norec")
    one, _ = alone(rate, config, STEPS)
    context = get_context("spawn")
    with ProcessPoolExecutor(4, context, meet, (context.Barrier(4),)) as trials:
        four = sum(images for images, _ in trials.map(rate, [config] * 4, [STEPS] * 4, [0.24] * 4))
    cells = f"{one:,.0f} img/s", f"{four:,.0f} img/s"
    return Row("4 trainings on one GPU against 1", *cells, four / one, ">= 2x", four / one >= 2)


def main() -> None:
    """Measure and print, or say that there is no GPU."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks.gpu: this machine has no usable GPU; `make bench` measures the CPU")
    rows: list[Row] = []
    for method, goal in EPOCH_GOALS.items():
        note(method)
        rows += method_rows(method, goal)
    note("four trainings at once")
    rows.append(shared_row())
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
