"""Checkpoints: a training's state in one file of plain tensors and JSON, written atomically."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FIT_MODES, FitMode
from dcodr.errors import UserError
from dcodr.evaluation.report import Report
from dcodr.files import appearing
from dcodr.methods.build import build_encoder
from dcodr.models.encoder import Encoder
from dcodr.training.origin import Measured, Origin
from dcodr.training.staging import mapped

FORMAT = 2
FROZEN = "distance."
"""Prefix of the perceptual network's weights. They are never trained, and are read from their own file."""


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch.

    Attributes:
        epoch: Number of completed epochs.
        losses: Means over the epoch's batches: ``loss`` and its parts.
        report: Validation metrics, if this epoch was evaluated.
        images_per_second: Training throughput, without evaluation.
    """

    epoch: int
    losses: dict[str, float]
    report: Report | None
    images_per_second: float


_EPOCH = TypeAdapter(Epoch)


@dataclass(frozen=True)
class Checkpoint:
    """A training after some epochs.

    It has no state of random generators: every epoch derives its generators from the config's seed.

    Attributes:
        config: The training's config.
        fingerprint: Fingerprint of the dataset it was trained on.
        last: Results of the last completed epoch.
        model: Weights of the method; without frozen weights after saving.
        optimizer: State of the optimiser.
        image_size: Height and width of the training images, in pixels; ``None`` in files of earlier versions.
        fit: How the training images became squares; those of earlier versions were crops.
    """

    config: Config
    fingerprint: str
    last: Epoch
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    image_size: int | None = None
    fit: FitMode = "crop"


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and keep the previous one as ``before(path)``.

    After any interruption one of the two files is complete.

    Raises:
        UserError: If the checkpoint cannot be written, e.g. because the disk is full.
    """
    trained = {name: value for name, value in checkpoint.model.items() if not name.startswith(FROZEN)}
    content = {
        "format": FORMAT,
        "config": checkpoint.config.model_dump_json(),
        "fingerprint": checkpoint.fingerprint,
        "last": _EPOCH.dump_json(checkpoint.last).decode(),
        "model": mapped(trained, Tensor.cpu),
        "optimizer": mapped(checkpoint.optimizer, Tensor.cpu),
        "image_size": checkpoint.image_size,
        "fit": checkpoint.fit,
    }
    with appearing(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # PyTorch's exception for a write that the system refuses
            raise OSError(f"{str(error).splitlines()[0]}; is the disk full?") from error
        # The new checkpoint is complete but not yet in place. Until then the old one keeps another name.
        if path.exists():
            path.replace(before(path))


def before(path: Path) -> Path:
    """Return the path of the previous checkpoint, which exists while a training runs."""
    return path.with_name(f"{path.stem}.before{path.suffix}")


def latest_checkpoint(path: Path) -> tuple[Checkpoint | None, str | None]:
    """Read the newest complete checkpoint.

    Returns:
        The checkpoint, or ``None`` if there is no file; and a description of the damage of a newer one, or
        ``None``.

    Raises:
        UserError: If there are files, but none is complete.
    """
    damage = None
    for candidate in (path, before(path)):
        if candidate.exists():
            try:
                return load_checkpoint(candidate), damage
            except UserError as error:
                damage = str(error)
    if damage is not None:
        raise UserError(f"{damage}; delete it to train from the beginning")
    return None, None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; nothing in the file is executed.

    Raises:
        UserError: If the file is missing, damaged, or not a checkpoint of this format.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    # A damaged file can raise any exception, also while its values are checked.
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise UserError(f"{path}: checkpoint format {content['format']}; this version reads {FORMAT}")
        checkpoint = Checkpoint(
            Config.model_validate_json(content["config"]),
            content["fingerprint"],
            _EPOCH.validate_json(content["last"], strict=True),
            content["model"],
            content["optimizer"],
            content.get("image_size"),
            content.get("fit", "crop"),
        )
        _check(checkpoint)
        return checkpoint
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: damaged, or not a checkpoint of dcodr: {reason}") from error


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's state into a model and its optimiser.

    Raises:
        UserError: If the state does not fit the model or the optimiser.
    """
    try:
        # Not strict, because the frozen weights are not in the file. Other differences are errors.
        missing, unknown = model.load_state_dict(checkpoint.model, strict=False)
        if wrong := unknown + [name for name in missing if not name.startswith(FROZEN)]:
            raise ValueError(f"weights on only one side: {', '.join(wrong)}")
        optimizer.load_state_dict(checkpoint.optimizer)
    # A state of another kind makes PyTorch raise many kinds of exceptions.
    except Exception as error:
        raise _unfit(error) from error


def trained_encoder(checkpoint: Checkpoint) -> Encoder:
    """Return the encoder of a checkpoint, ready to embed images.

    Raises:
        UserError: If its weights are not those of its config.
    """
    prefix = "encoder."
    weights = {
        name.removeprefix(prefix): t for name, t in checkpoint.model.items() if name.startswith(prefix)
    }
    encoder = encoder_with(weights, checkpoint.config.encoder, checkpoint.image_size, checkpoint.fit)
    encoder.origin = origin_of(checkpoint)
    return encoder


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Return the record of a checkpoint's training, with its last validation metrics."""
    last, fingerprint = checkpoint.last, checkpoint.fingerprint
    measured = () if last.report is None else (Measured.of(last.report, "validation", "fast", fingerprint),)
    return Origin(checkpoint.config, last.epoch, fingerprint, measured)


def encoder_with(
    weights: dict[str, Tensor], settings: EncoderConfig, image_size: int | None = None, fit: FitMode = "crop"
) -> Encoder:
    """Build an encoder with trained weights, in evaluation mode.

    Raises:
        UserError: If the weights are not those of the settings, or the encoder's package is not allowed.
    """
    encoder = build_encoder(settings, image_size)
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise _unfit(error) from error
    encoder.fit = fit
    return encoder.eval()


def _check(checkpoint: Checkpoint) -> None:
    """Check that all values have the types that a training writes."""
    tensors = isinstance(checkpoint.model, dict) and all(
        isinstance(name, str) and type(value) is Tensor for name, value in checkpoint.model.items()
    )
    if not tensors or not isinstance(checkpoint.optimizer, dict):
        raise ValueError("its state does not consist of tensors")
    if not isinstance(checkpoint.fingerprint, str) or checkpoint.last.epoch < 1:
        raise ValueError("fingerprint or epoch is invalid")
    size = checkpoint.image_size
    if size is not None and (type(size) is not int or size < 1):
        raise ValueError("the size of the images is invalid")
    if checkpoint.fit not in FIT_MODES:
        raise ValueError("the fit of the images is invalid")


def _unfit(error: Exception) -> UserError:
    reason = str(error).strip().replace("\n", " ")[:300]
    return UserError(f"the checkpoint's state does not fit its config ({reason}): train again")
