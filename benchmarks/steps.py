"""Rows of whole training steps: ResNet-50, 64x64, 4 domains x 32 images, random weights.

Ours is ``dcodr.training.trainer.fit`` itself. Every measurement runs in a separate process, because the
allocation of memory is part of the comparison.
"""

import statistics
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.measure import Row, alone, clock, note, peak_memory, times_better
from benchmarks.reference.training import stepper
from dcodr.config import Config, EncoderConfig, PerceptualConfig
from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, FactorDataset
from dcodr.methods.batch import Batch
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.models.perceptual import DEFAULT_LAYERS, backbone_features
from dcodr.training.trainer import fit

GIB = 2**30
N_DOMAINS = 20
Side = Literal["reference", "float32", "bfloat16"]
Steps = tuple[list[float], int]


class EnoughError(Exception):
    """The requested number of steps is done."""


def random_dataset(n_per_domain: int = 96) -> FactorDataset:
    """Make a dataset of noise, with 20 domains; two more images are for validation."""
    domain = np.append(np.repeat(np.arange(N_DOMAINS), n_per_domain), [0, 1])
    images = np.random.default_rng(0).integers(0, 256, (len(domain), 64, 64, 3), dtype=np.uint8)
    spec = DatasetSpec("noise", "domain", (Attribute("attribute", 2),))
    split = np.zeros(len(domain), np.uint8)
    split[-2:] = SPLITS.index("validation")
    return FactorDataset(spec, images, domain, {"attribute": domain % 2}, split, "noise")


def reference_steps(reconstruct: bool, warm: int, n: int) -> Steps:
    """Measure seconds of ``n`` steps of the reference after warm-up steps, and peak memory in bytes."""
    data = random_dataset()
    step = stepper(data.images, data.domain, reconstruct, torch.device("cpu"))
    moments = [clock()]
    for _ in range(warm + n):
        step()
        moments.append(clock())
    return np.diff(moments)[warm:].tolist(), peak_memory()


def our_steps(config: Config, warm: int, n: int) -> Steps:
    """Measure ``fit`` like :func:`reference_steps`."""
    moments = [clock()]

    def on_step(done: int, total: int) -> None:
        moments.append(clock())
        if len(moments) > warm + n:
            raise EnoughError

    with tempfile.TemporaryDirectory() as folder:
        run(config, Path(folder), on_step)
    return np.diff(moments)[warm:].tolist(), peak_memory()


def random_weights(folder: Path) -> Path:
    """Write a file of random weights for the perceptual network."""
    path = folder / "vgg16.pt"
    torch.save(backbone_features("vgg16", max(DEFAULT_LAYERS["vgg16"])).state_dict(), path)
    return path


def run(config: Config, folder: Path, on_step: Callable[[int, int], None]) -> None:
    """Train until ``on_step`` raises; the perceptual network has random weights, from the folder."""
    perceptual = PerceptualConfig(weights=str(random_weights(folder)), normalise=False)
    settings = {"perceptual": perceptual, "device": "cpu"}
    # More epochs than the measurement needs, and no evaluation: `on_step` ends the training.
    lasting = {"epochs": 10_000, "evaluate_every": 10_000, "threads": torch.get_num_threads()}
    with suppress(EnoughError):
        fit(config.model_copy(update=settings | lasting), random_dataset(), on_step=on_step)


def step_rows(rounds: int, warm: int, n: int, reconstruct: bool, goals: dict[str, float]) -> list[Row]:
    """Measure steps of a method in turn: the reference, ours in float32, ours in bfloat16."""
    method = "dcodr" if reconstruct else "dcodr_norec"
    found: dict[str, list[float]] = {}
    peaks: dict[str, int] = {}
    for _ in range(rounds):
        for side in ("reference", *goals):
            if side == "reference":
                times, peak = alone(reference_steps, reconstruct, min(warm, 1), n)
            else:
                times, peak = alone(our_steps, Config(method=method, precision=side), warm, n)  # type: ignore[arg-type]
            note(f"{method}, {side}: {', '.join(f'{t:.2f}' for t in times)} s, {peak / GIB:.2f} GiB")
            found.setdefault(side, []).extend(times)
            peaks[side] = max(peaks.get(side, 0), peak)
    medians = {side: statistics.median(times) for side, times in found.items()}
    rows = [
        times_better(f"{method} step, {side}", medians["reference"], medians[side], goal)
        for side, goal in goals.items()
    ]
    if reconstruct:
        reference, ours = peaks["reference"] / GIB, peaks["float32"] / GIB
        cells = f"{reference:.2f} GiB", f"{ours:.2f} GiB"
        rows.append(Row("dcodr peak memory, float32", *cells, reference / ours, "<= 6 GB", ours * GIB <= 6e9))
    return rows


def norec() -> list[Row]:
    """Measure DCoDR-norec."""
    return step_rows(2, 2, 3, False, {"float32": 1.5, "bfloat16": 2.4})


def full() -> list[Row]:
    """Measure DCoDR, whose reference takes most of a minute per step."""
    return step_rows(1, 1, 2, True, {"float32": 2.0, "bfloat16": 3.8})


def overhead() -> list[Row]:
    """Measure the share of an epoch that is neither forward, backward nor optimiser step."""
    small = EncoderConfig(arch="small", code_dim=16)
    rows = []
    for name, encoder, n in (("ResNet-50", EncoderConfig(), 6), ("small encoder", small, 150)):
        share = alone(other_share, Config(method="dcodr_norec", encoder=encoder), n)
        rows.append(Row(f"rest of an epoch, {name}", "", f"{share:.1%}", None, "<= 3 %", share <= 0.03))
    return rows


def other_share(config: Config, n: int) -> float:
    """Return this share for ``n`` steps of DCoDR-norec, after two warm-up steps."""
    spent = {"losses": 0.0, "views": 0.0, "backward": 0.0, "step": 0.0}
    _timed(DCoDRNorec, "losses", spent)
    _timed(Batch, "views", spent)
    _timed(torch.Tensor, "backward", spent)
    _timed(torch.optim.Adam, "step", spent)
    moments: list[list[float]] = []

    def on_step(done: int, total: int) -> None:
        moments.append([clock(), *spent.values()])
        if len(moments) == n + 2:
            raise EnoughError

    with tempfile.TemporaryDirectory() as folder:
        run(config, Path(folder), on_step)
    whole, losses, views, backward, step = np.subtract(moments[-1], moments[1])
    # Views are made within `losses`, but do not belong to the forward pass.
    return float(1 - (losses - views + backward + step) / whole)


def _timed(owner: Any, name: str, spent: dict[str, float]) -> None:
    """Replace a method by one that adds up its seconds."""
    inner = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        started = clock()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[name] += clock() - started

    setattr(owner, name, outer)
