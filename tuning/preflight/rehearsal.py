"""Rehearsal of a search: the costliest configuration is trained for a few seconds on the same device."""

import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dcodr.config import Config
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.data.remote import open_dataset
from dcodr.errors import DivergedError, UserError
from dcodr.evaluation.probes import FAST
from dcodr.evaluation.report import evaluate_encoder
from dcodr.methods.build import build_encoder
from dcodr.training.memory import hold_to_share
from dcodr.training.trainer import fit, resolve_device
from tuning.space import Space
from tuning.space.params import CategoricalParam, Param, SubsetParam, used

RANKED: Mapping[str, tuple[str, ...]] = {
    "method": ("dcodr_norec", "simclr", "lord", "dcodr", "ml_vae", "drnet"),
    "encoder.arch": ("small", "resnet18", "resnet50"),
    "perceptual.backbone": ("pixel", "squeezenet1_1", "vgg16", "vgg19"),
    "precision": ("bfloat16", "tf32", "float32"),
    "augmentation_mode": ("one", "compose"),
}
"""Choices that decide the time and memory of a step, the cheapest first. Parts that are not listed, such as
those from outside, count as costlier; encoders among them are timed one by one."""

SIZES = (
    "encoder.code_dim",
    "encoder.head",
    "generator.channels",
    "generator.domain_dim",
    "batch.n_domains",
    "batch.n_per_domain",
)
"""Numbers that decide the cost; larger is costlier. Small batches make an epoch longer, but large ones need
more memory."""

STEP_SECONDS = 4.0
"""Seconds for which steps are timed; at least one step is timed, after one to warm up."""
EVALUATION_SECONDS = 2.0
"""Seconds that an evaluation has to take before it is scaled up to more images."""
FEWEST_IMAGES = 1000
"""Training images of the smallest evaluation that is timed."""


@dataclass(frozen=True)
class Timing:
    """Result of a rehearsal.

    Attributes:
        step: Seconds of a training step.
        steps: Steps in an epoch.
        timed: Number of steps that were timed.
        evaluation: Seconds of an evaluation on the validation images.
        parameters: Number of parameters of the encoder.
        memory: Bytes of a training at its peak: on a GPU those that PyTorch has allocated there; else the
            resident memory of the process, including the program and the dataset, although trials share them.
    """

    step: float
    steps: int
    timed: int
    evaluation: float
    parameters: int
    memory: int


class _EnoughError(Exception):
    """Ends a training that has been timed."""


def largest(space: Space) -> dict[str, Any]:
    """Return the values of a space's costliest configuration; settings without cost have the paper's values.

    Cost grows with each setting of ``RANKED`` and ``SIZES`` independently of the others, so each has its
    costliest value. Learning rates, temperature and loss weights do not affect the cost; the set of
    augmentations hardly does.
    """
    method = {key: _costliest(key, space.params[key], None) for key in space.params if key == "method"}
    paper = space.paper_values(method)
    return space.paper_values(
        {key: _costliest(key, param, paper[key]) for key, param in used(space.params, paper).items()}
    )


def cost_depends(space: Space) -> bool:
    """Return whether the space searches a setting that affects the cost of a step."""
    return any(key in RANKED or key in SIZES for key in space.params)


def rehearse(config: Config, copies: int, gpus: float = 0) -> Timing:
    """Time steps and an evaluation, in as many processes at a time as trials would share the device.

    This process does not change. The processes are as fresh as Ray's workers, and slow each other down as
    trials would. A rehearsal takes a few seconds, unless a single step takes longer. Times are means over the
    copies; the memory is the largest.

    Raises:
        UserError: If the machine cannot train so many at a time, or cannot train the config at all.
    """
    try:
        with ProcessPoolExecutor(
            copies,
            multiprocessing.get_context("spawn"),
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_DFL),
        ) as pool:
            timings = list(pool.map(measure, [config.model_dump_json()] * copies, [gpus] * copies))
    except BrokenProcessPool:
        raise UserError(
            f"a rehearsal of the largest configuration, {copies} at a time, was killed: presumably there is "
            "not enough memory; lower resources.max_concurrent, batch sizes or networks"
        ) from None
    return Timing(
        step=float(np.mean([timing.step for timing in timings])),
        steps=timings[0].steps,
        timed=sum(timing.timed for timing in timings),
        evaluation=float(np.mean([timing.evaluation for timing in timings])),
        parameters=timings[0].parameters,
        memory=max(timing.memory for timing in timings),
    )


def measure(text: str, gpus: float) -> Timing:
    """Time steps and an evaluation of a config (as JSON); this process is changed as a training changes it.

    Raises:
        UserError: If the GPU's memory is not enough.
    """
    hold_to_share(gpus)
    config = Config.model_validate_json(text)
    data = open_dataset(config)
    try:
        moments, steps = _steps(config, data)
        encoder = build_encoder(config.encoder, data.image_size)
        evaluation = _evaluation(encoder, config, data)
    except torch.cuda.OutOfMemoryError:
        raise UserError(
            "the largest configuration needs more memory than the GPU allows it: use smaller batches or "
            "networks, or raise resources.gpus_per_trial"
        ) from None
    timed = len(moments) - 1
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    step = (moments[-1] - moments[0]) / timed
    return Timing(step, steps, timed, evaluation, parameters, _peak_memory(config))


def _steps(config: Config, data: FactorDataset) -> tuple[list[float], int]:
    """Return the time at the end of each step, including the warm-up step, and the steps in an epoch."""
    device = resolve_device(config.device)
    moments: list[float] = []
    steps = 0

    def on_step(done: int, total: int) -> None:
        nonlocal steps
        # A GPU runs behind the program: without waiting only the start of the step would be timed.
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        moments.append(time.perf_counter())
        steps = total
        if len(moments) > 1 and moments[-1] - moments[0] > STEP_SECONDS:
            raise _EnoughError

    # No evaluation falls into the timed steps, and the training ends only by the exception.
    endless = 1_000_000
    try:
        fit(config.model_copy(update={"epochs": endless, "evaluate_every": endless}), data, on_step=on_step)
    except _EnoughError:
        pass
    except DivergedError as error:
        raise UserError(f"the largest configuration cannot be trained at all: {error}") from None
    return moments, steps


def _evaluation(encoder: nn.Module, config: Config, data: FactorDataset) -> float:
    """Return the seconds of an evaluation; a long one is estimated from an evaluation of fewer images.

    The encoder is untrained; the cost is the same.
    """
    encoder = encoder.to(resolve_device(config.device)).to(memory_format=torch.channels_last)
    n_images = len(data.indices("train"))
    every: int = 2 ** (max(n_images // FEWEST_IMAGES, 1).bit_length() - 1)
    # Evaluate on a small part of the images, and double the part until the time is long enough to scale up.
    while True:
        started = time.perf_counter()
        evaluate_encoder(encoder, thinned(data, every), "validation", FAST, seed=config.seed)
        seconds = time.perf_counter() - started
        if every == 1 or seconds > EVALUATION_SECONDS:
            return seconds * every
        every //= 2


def thinned(data: FactorDataset, every: int) -> FactorDataset:
    """Return the dataset with one in ``every`` training and validation images, at least two of each."""
    # The other images go to the test split, which an evaluation on validation images does not read.
    split = np.full_like(data.split, SPLITS.index("test"))
    for name in ("train", "validation"):
        indices = data.indices(name)
        split[indices[:: max(min(every, len(indices) // 2), 1)]] = SPLITS.index(name)
    return dataclasses.replace(data, split=split)


def _peak_memory(config: Config) -> int:
    """Return the peak memory in bytes, see :class:`Timing`."""
    device = resolve_device(config.device)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss still holds the peak of the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed_encoders(space: Space) -> list[str]:
    """Return the encoders to time: the costliest one, or all searched ones if their order is unknown."""
    arch = space.params.get("encoder.arch")
    choices = [str(choice) for choice in arch.choices] if isinstance(arch, CategoricalParam) else []
    if all(choice in RANKED["encoder.arch"] for choice in choices):
        return [space.config(largest(space)).encoder.arch]
    return choices


def _rank(key: str, option: str) -> int:
    return RANKED[key].index(option) if option in RANKED[key] else len(RANKED[key])


def _costliest(key: str, param: Param, paper: Any) -> Any:
    if isinstance(param, SubsetParam):
        return param.repair(paper, np.random.default_rng(0))
    options = param.choices if isinstance(param, CategoricalParam) else (param.low, param.high)
    if key in RANKED:
        return max(options, key=lambda option: _rank(key, str(option)))
    if key in SIZES:
        return max(options)
    return paper if param.allows(paper) else options[0]
