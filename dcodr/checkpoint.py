"""A training's state in one file: plain tensors and JSON, written atomically."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dcodr.config import Config
from dcodr.errors import UserError
from dcodr.files import appearing
from dcodr.models.encoder import Encoder

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A training after some epochs.

    There is no state of random generators in it: every epoch derives its own from the config's seed.

    Attributes:
        config: The training's config.
        fingerprint: Fingerprint of the dataset it was trained on.
        epoch: Completed epochs.
        model: Weights of the method.
        optimizer: State of the optimiser.
    """

    config: Config
    fingerprint: str
    epoch: int
    model: dict[str, Tensor]
    optimizer: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; whatever is interrupted, ``path`` holds either the old or the new one.

    Raises:
        UserError: If it cannot be written, e.g. because the disk is full.
    """
    content = {**vars(checkpoint), "config": checkpoint.config.model_dump_json(), "format": FORMAT}
    with appearing(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; nothing in the file is executed.

    Raises:
        UserError: If the file is missing, damaged, or no checkpoint of this format.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise UserError(f"{path}: checkpoint format {content['format']}; this version reads {FORMAT}")
        checkpoint = Checkpoint(
            Config.model_validate_json(content["config"]),
            content["fingerprint"],
            content["epoch"],
            content["model"],
            content["optimizer"],
        )
        _check(checkpoint)
        return checkpoint
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: damaged, or no checkpoint of dcodr: {reason}") from error


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's state into a model and its optimiser.

    Raises:
        UserError: If it does not fit them.
    """
    try:
        model.load_state_dict(checkpoint.model)
        optimizer.load_state_dict(checkpoint.optimizer)
    # PyTorch reports a state of another kind by whatever it leads to.
    except Exception as error:
        raise _unfit(error) from error


def trained_encoder(checkpoint: Checkpoint) -> Encoder:
    """The encoder of a checkpoint, ready to embed images.

    Raises:
        UserError: If its weights are not those of its config.
    """
    settings = checkpoint.config.encoder
    encoder = Encoder(settings.arch, settings.code_dim, settings.head)
    prefix = "encoder."
    weights = {
        name.removeprefix(prefix): t for name, t in checkpoint.model.items() if name.startswith(prefix)
    }
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise _unfit(error) from error
    return encoder.eval()


def _check(checkpoint: Checkpoint) -> None:
    """Refuse values of other types than a training writes."""
    tensors = isinstance(checkpoint.model, dict) and all(
        isinstance(name, str) and type(value) is Tensor for name, value in checkpoint.model.items()
    )
    if not tensors or not isinstance(checkpoint.optimizer, dict):
        raise ValueError("its state is not one of tensors")
    epoch = checkpoint.epoch
    if not isinstance(checkpoint.fingerprint, str) or type(epoch) is not int or epoch < 0:
        raise ValueError("fingerprint or epoch is none")


def _unfit(error: Exception) -> UserError:
    reason = str(error).strip().replace("\n", " ")[:300]
    return UserError(f"the checkpoint's state does not fit its config ({reason}): train again")
