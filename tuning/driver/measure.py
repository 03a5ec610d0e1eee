"""Final measurement of a search: Ray measures kept encoders on the test images, with the paper's probe."""

from pathlib import Path
from typing import Any, TypeAlias

import ray
import torch
from ray.exceptions import RayError
from rich.console import Console

from dcodr.console import say
from dcodr.data.remote import open_dataset
from dcodr.files import CHECKPOINT
from dcodr.training.checkpoint import load_checkpoint, trained_encoder
from dcodr.training.memory import hold_to_share
from dcodr.training.trained import evaluate
from dcodr.words import counted
from tuning.cluster.nodes import places, share
from tuning.interrupts import undisturbed
from tuning.ledger.trials import TrialRecord, kept_of
from tuning.results.final_metrics import unmeasured
from tuning.results.search import Search
from tuning.tracking.outbox import Outbox

Measured: TypeAlias = tuple[dict[str, float], dict[str, tuple[float, float]]]
"""Metrics on the test images, and the 95 % intervals of some of them."""


def measure(search: Search, outbox: Outbox, console: Console) -> None:
    """Measure the trainings of ``final_metrics.unmeasured`` on the connected cluster.

    Each result is recorded at once, so that an interrupted search resumes with the rest. A training that
    cannot be measured, e.g. because its encoder was lost to a full disk, is named on the console.
    """
    left: list[tuple[TrialRecord, Path]] = []
    for run in unmeasured(search.results()):
        path = kept_of(search.folder, run.number) / CHECKPOINT
        if path.is_file():
            left.append((run, path))
        else:
            _say_unmeasured(console, run, f"its encoder was not kept: there is no {path}")
    if not left:
        return
    encoders, at_once = counted(len(left), "encoder"), max(1, places(search.space.resources))
    say(console, f"Measuring the best trade-off and the paper's settings on the test images: {encoders}")
    begun: dict[ray.ObjectRef[Measured], TrialRecord] = {}
    ended = 0
    with console.status("") as status:
        while left or begun:
            while left and len(begun) < at_once:
                run, path = left.pop(0)
                begun[_begin(search, run, path)] = run
            status.update(f"{ended} of {encoders} measured on the test images")
            (done, *_), _ = ray.wait(list(begun))
            run = begun.pop(done)
            measured, ended = _result(done, run, console), ended + 1
            if measured is not None:
                # A signal must not fall between ledger and outbox: MLflow would lack the metrics.
                with undisturbed():
                    search.ledger.note_test(run.number, *measured)
                    outbox.put(search.ledger.record(run.number))


def measure_encoder(checkpoint: str, gpus: float) -> Measured:
    """Measure an encoder of :func:`tuning.driver.trainable.keep` on the test images; runs on a worker.

    Returns:
        The metrics of ``python -m dcodr evaluate`` and their intervals; no metrics if the code has collapsed
        to non-finite numbers.
    """
    hold_to_share(gpus)
    state = load_checkpoint(Path(checkpoint))
    config = state.config
    torch.set_num_threads(config.threads)
    data = open_dataset(config)
    encoder = trained_encoder(state)
    report = evaluate(encoder, data, "test", seed=config.seed, device=config.device, metrics=config.metrics)
    return dict(report.metrics), dict(report.intervals)


def _begin(search: Search, run: TrialRecord, checkpoint: Path) -> "ray.ObjectRef[Measured]":
    """Start a measurement with the resources of a trial."""
    resources = search.space.resources
    gpus = run.gpus or resources.gpus_per_trial
    asked: dict[str, Any] = share(resources, gpus)
    task = ray.remote(measure_encoder).options(
        num_cpus=asked.pop("CPU"), num_gpus=asked.pop("GPU"), resources=asked
    )
    return task.remote(str(checkpoint), gpus)


def _result(done: "ray.ObjectRef[Measured]", run: TrialRecord, console: Console) -> Measured | None:
    """Return the result of a measurement that has ended; print the reason if there are no metrics."""
    try:
        measured = ray.get(done)
    except RayError as error:
        _say_unmeasured(console, run, str(error).strip().splitlines()[-1])
        return None
    if not measured[0]:
        _say_unmeasured(console, run, "its code is not finite there")
        return None
    return measured


def _say_unmeasured(console: Console, run: TrialRecord, why: str) -> None:
    say(console, f"Trial {run.number:03d} has no metrics on the test images: {why}")
