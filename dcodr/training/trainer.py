"""``fit``: the only training loop."""

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from dcodr import plugins
from dcodr.augmentations.views import Augment
from dcodr.config import Config, differences, setting
from dcodr.data.dataset import FactorDataset
from dcodr.data.labels import NAME
from dcodr.errors import DivergedError, UserError
from dcodr.evaluation.probes import FAST
from dcodr.evaluation.report import Report, evaluate_encoder, require_scorable
from dcodr.methods.batch import Batch
from dcodr.methods.build import build_method
from dcodr.methods.method import Method
from dcodr.precision import float32_products
from dcodr.seeding import seeded
from dcodr.seeds import MAX_SEED
from dcodr.training.batches import Batches, build_sampler
from dcodr.training.checkpoint import Checkpoint, Epoch, before, latest_checkpoint, restore, save_checkpoint
from dcodr.training.memory import keep_freed_memory, room_for_images

ADAM_BETAS = (0.5, 0.999)
COSINE_END = 1e-5
"""Final learning rate of the schedule ``cosine``, as in LORD's code."""


@dataclass(frozen=True)
class Fit:
    """A finished training: its networks, and the validation metrics of its last epoch."""

    method: Method
    report: Report


def resolve_device(name: str) -> torch.device:
    """Return the device of a config's ``device`` setting; a GPU always has an index.

    Many functions of ``torch.cuda`` refuse a GPU without an index.

    Raises:
        UserError: If a GPU is requested and there is none, or the name is none of the setting's values.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device: received {name!r}; use 'auto', 'cpu' or 'cuda'")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: received 'cuda', but this machine has no usable GPU; use 'auto' or 'cpu'")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def require_compiler(device: torch.device) -> None:
    """Refuse to compile networks without the compiler that ``torch.compile`` runs.

    Raises:
        UserError: If this machine has none.
    """
    variable, names = ("CC", ("gcc", "clang")) if device.type == "cuda" else ("CXX", ("g++",))
    names = (given,) if (given := os.environ.get(variable)) else names
    if not any(shutil.which(name) for name in names):
        raise UserError(
            f"compile: received true, but this machine has no compiler {' or '.join(names)}; install g++, "
            f"name another one in the environment variable {variable}, or set compile to false"
        )


class Callbacks(TypedDict, total=False):
    """The callbacks of :func:`fit` that show its progress."""

    on_epoch: Callable[[Epoch], None]
    on_step: Callable[[int, int], None]
    on_resume: Callable[[int, str | None], None]
    on_streamed: Callable[[str], None]


def fit(
    config: Config,
    data: FactorDataset,
    *,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_resume: Callable[[int, str | None], None] = lambda epoch, damage: None,
    on_streamed: Callable[[str], None] = lambda reason: None,
    on_unsaved: Callable[[UserError], None] | None = None,
    checkpoint: Path | None = None,
) -> Fit:
    """Train a method on the ``train`` split and evaluate it on ``validation``.

    Every epoch's batches and views depend only on the seed and the epoch, so a resumed training gives the
    same result as an uninterrupted one. On the CPU, with the same number of threads, it is identical to the
    last bit.

    Args:
        config: The config of the training.
        data: The dataset; on the CPU its images are never copied as a whole.
        on_epoch: Called after each epoch. A resumed training first reports the last completed epoch again, in
            case the previous process died before its report arrived.
        on_step: Called after each batch with the number of finished batches of this epoch and of all batches.
        on_resume: Called if training continues from a checkpoint, with the number of completed epochs and, if
            the newest checkpoint is damaged and an older one is used, a description of the damage.
        on_streamed: Called with an explanation if the GPU has no room for all images. Every batch is then
            copied to it, which is slower.
        on_unsaved: Called if the checkpoint cannot be written, e.g. on a full disk; training then continues.
            By default it ends.
        checkpoint: File to save to after each epoch. If it exists, training continues from it.

    Raises:
        UserError: If the config does not fit the dataset or the machine, or the checkpoint does not fit the
            config.
        DivergedError: If a loss is not finite.
    """
    # 1. Build the sampler, the networks and the optimiser.
    torch.set_num_threads(config.threads)
    device = resolve_device(config.device)
    if device.type == "cpu":
        keep_freed_memory()
    require_scorable(data, "validation")
    train = data.indices("train")
    batch = config.batch
    sampler = build_sampler(config, data.domain[train], data.spec.domains)
    # Weights come from torch's global generator, whose state the caller gets back unchanged.
    with seeded(config.seed, device):
        method = build_method(config, data.n_domains, data.image_size, len(train))
    method = method.to(device).to(memory_format=torch.channels_last)
    # Networks are compiled one by one: a method as a whole has no forward pass.
    if config.compile:
        require_compiler(device)
        for network in method.children():
            network.compile()
    # A group's name is the key of its learning rate, see `_set_learning_rates`.
    # Without weight decay, AdamW is Adam.
    optimizer = torch.optim.AdamW(
        [{"params": params, "setting": name} for name, params in method.learned().items()],
        betas=ADAM_BETAS,
        weight_decay=config.weight_decay,
        fused=True,
    )
    # 2. Restore the checkpoint, if there is one.
    last = _resume(checkpoint, config, data, method, optimizer, on_resume)
    augment = Augment(config.augmentations, config.augmentation_mode, config.strengths)
    resident = _resident(data, device, on_streamed)
    batches = Batches(data, train, sampler, augment, method.draws, device, resident)

    # 3. Train, validate and save epoch by epoch. First report the last epoch again, in case the previous
    # process died before its report arrived.
    if last is not None:
        on_epoch(last)
    for epoch in range(last.epoch if last else 0, config.epochs):
        _set_learning_rates(optimizer, config, epoch)
        started = time.perf_counter()
        seeds = seeded(_seed_of_epoch(config.seed, epoch), device)
        with seeds, float32_products(tf32=config.precision == "tf32"):
            losses = _train_epoch(method, optimizer, batches, epoch, config, on_step)
        seconds = time.perf_counter() - started
        if not all(map(math.isfinite, losses.values())):
            raise DivergedError(f"not finite in epoch {epoch + 1}: {losses}")
        due = (epoch + 1) % config.evaluate_every == 0 or epoch + 1 == config.epochs
        report = _validate(method, data, batches.images, config) if due else None
        images = len(sampler) * batch.n_domains * batch.n_per_domain
        last = Epoch(epoch + 1, losses, report, images / seconds)
        # Saved before it is reported, so that no reported epoch is lost.
        if checkpoint is not None:
            states = method.state_dict(), optimizer.state_dict()
            try:
                save_checkpoint(
                    checkpoint, Checkpoint(config, data.fingerprint, last, *states, data.image_size, data.fit)
                )
            except UserError as error:
                if on_unsaved is None:
                    raise
                on_unsaved(error)
        on_epoch(last)
    # 4. The training is complete, so the previous checkpoint is no longer needed, unless it is the only one.
    if checkpoint is not None and checkpoint.exists():
        before(checkpoint).unlink(missing_ok=True)
    assert last is not None
    assert last.report is not None
    return Fit(method, last.report)


def _seed_of_epoch(seed: int, epoch: int) -> int:
    """Return an epoch's own seed, so that a resumed training draws what an uninterrupted one does.

    It is for PyTorch's global generators, e.g. of dropout in an encoder from outside.
    """
    return int(np.random.default_rng((seed, epoch)).integers(MAX_SEED))


def _train_epoch(
    method: Method,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    epoch: int,
    config: Config,
    on_step: Callable[[int, int], None],
) -> dict[str, float]:
    """Train on all batches of an epoch; return the mean of each loss over the batches."""
    method.train()
    totals: dict[str, Tensor] = {}
    half = config.precision == "bfloat16"
    n_batches = len(batches)
    # Losses are summed as tensors: reading a number would wait for the GPU at every step.
    for step, batch in enumerate(batches.of_epoch(epoch, config.seed)):
        with torch.autocast(batch.anchors.device.type, torch.bfloat16, enabled=half):
            losses = _losses(method, batch, config.method)
        if step == 0:
            _check_losses(config.method, losses)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for name, value in losses.items():
            totals[name] = totals.get(name, 0) + value.detach()
        on_step(step + 1, n_batches)
    return {name: float(total) / n_batches for name, total in totals.items()}


def _losses(method: Method, batch: Batch, name: str) -> dict[str, Tensor]:
    """Compute the losses of a batch; an error of a method from outside is the user's to mend."""
    try:
        return method.losses(batch)
    except (UserError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:
        if not plugins.is_outside(name):
            raise
        raise UserError(f"method: {name}.losses failed: {plugins.told(error)}") from error


def _check_losses(method: str, losses: Mapping[str, Tensor]) -> None:
    """Refuse losses that cannot be minimised or tracked; a method from outside names its own."""
    if "loss" not in losses:
        raise UserError(f"method: {method}.losses returns no 'loss', which is minimised")
    if odd := [name for name, value in losses.items() if not torch.is_tensor(value) or value.numel() != 1]:
        raise UserError(f"method: {method}.losses: {', '.join(odd)} is not a tensor with one number")
    if wrong := [name for name in losses if not NAME.fullmatch(name)]:
        raise UserError(
            f"method: {method}.losses names {', '.join(map(repr, wrong))}; letters, digits, - and _ are "
            "allowed"
        )


def _set_learning_rates(optimizer: torch.optim.Optimizer, config: Config, epoch: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = _learning_rate(setting(config, group["setting"]), config, epoch)


def _learning_rate(first: float, config: Config, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0; without a warm-up epoch 0 has ``first``."""
    warmed = min(1.0, (epoch + 1) / (config.lr_warmup_epochs + 1))
    return warmed * _scheduled(first, config, epoch)


def _scheduled(first: float, config: Config, epoch: int) -> float:
    """Return the learning rate that the schedule gives an epoch."""
    if config.lr_schedule == "cosine":
        end = min(first, COSINE_END)  # a rate that starts lower must not rise
        return end + (first - end) * (1 + math.cos(math.pi * epoch / config.epochs)) / 2
    return first * float(config.lr_decay ** (epoch // config.lr_decay_epochs))


def _resident(data: FactorDataset, device: torch.device, on_streamed: Callable[[str], None]) -> bool:
    """Tell whether the device can hold all images; report it if not."""
    room = room_for_images(device)
    if data.images.nbytes <= room:
        return True
    on_streamed(
        f"reads its images batch by batch: they take {data.images.nbytes / 2**30:.2f} GiB, "
        f"and the GPU has {max(room, 0) / 2**30:.2f} GiB of room for them"
    )
    return False


def _validate(method: Method, data: FactorDataset, images: Tensor, config: Config) -> Report:
    return evaluate_encoder(
        method.encoder,
        data,
        "validation",
        FAST,
        seed=config.seed,
        images=images,
        metrics=config.metrics,
    )


def _resume(
    path: Path | None,
    config: Config,
    data: FactorDataset,
    method: Method,
    optimizer: torch.optim.Optimizer,
    on_resume: Callable[[int, str | None], None],
) -> Epoch | None:
    """Restore the state of the checkpoint, if there is one, and return its last completed epoch."""
    checkpoint, damage = latest_checkpoint(path) if path else (None, None)
    if checkpoint is None:
        return None
    if checkpoint.config != config:
        changed = "; ".join(differences(checkpoint.config.model_dump(), config.model_dump()))
        raise UserError(f"{path}: belongs to another config; {changed}: give another folder")
    if checkpoint.fingerprint != data.fingerprint:
        raise UserError(f"{path}: was trained on different data than {config.store}")
    restore(checkpoint, method, optimizer)
    on_resume(checkpoint.last.epoch, damage)
    return checkpoint.last
