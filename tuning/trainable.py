"""One trial: an assignment from the driver, trained on a worker, reported after every epoch."""

from typing import Any

import torch
from ray import tune

from dcodr.config import Config
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.trainer import DivergedError, Epoch, fit


def train_trial(assignment: dict[str, Any]) -> None:
    """Train one config and report each epoch to Tune.

    A report holds ``epoch`` and ``training`` (losses and throughput), and where the epoch was evaluated
    ``figures``, ``intervals`` and ``infeasible`` of its validation. A training that cannot go on reports
    ``failure`` instead: Tune would drop the reason of an exception.

    Args:
        assignment: ``config``, the config as JSON; ``gpus``, the trial's GPUs or share of one.
    """
    if 0 < assignment["gpus"] < 1:
        torch.cuda.set_per_process_memory_fraction(assignment["gpus"])
    config = Config.model_validate_json(assignment["config"])
    try:
        fit(config, open_store(config.store), on_epoch=lambda epoch: tune.report(as_report(epoch)))
    except (DivergedError, UserError) as error:
        tune.report({"failure": str(error)})


def as_report(epoch: Epoch) -> dict[str, Any]:
    """An epoch as plain values."""
    losses = {f"train/{name}": value for name, value in epoch.losses.items()}
    training = {**losses, "images_per_second": epoch.images_per_second}
    validation = {} if epoch.report is None else vars(epoch.report)
    return {"epoch": epoch.epoch, "training": training, **validation}
