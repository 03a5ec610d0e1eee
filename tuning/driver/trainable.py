"""One trial: an assignment from the driver, trained on a worker, reported after every epoch."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ray import tune

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.data.remote import open_dataset
from dcodr.errors import DivergedError, UserError
from dcodr.files import CHECKPOINT, appearing
from dcodr.training.checkpoint import Checkpoint, Epoch, before, save_checkpoint
from dcodr.training.memory import hold_to_share
from dcodr.training.pictures import retrieval_picture, swap_picture
from dcodr.training.trainer import Fit, fit, resolve_device
from tuning.driver.protocol import Assignment, TrialReport

OUT_OF_MEMORY = (
    "Give a trial a larger share of the GPU (resources.gpus_per_trial, or resources.on_oom: retry), or make "
    "batches or networks smaller."
)


class _InfeasibleError(Exception):
    """Ends a training whose result is infeasible."""


def train_trial(assignment: dict[str, Any]) -> None:
    """Train the config of an :class:`Assignment`, given as a dictionary, and report each epoch to Tune.

    An infeasible :class:`TrialReport` is the last one. A training that cannot continue reports the reason and
    ends normally, because Tune would drop the reason of an exception. A training that reaches its end keeps
    its pictures and its encoder.

    An interrupted training continues from its checkpoint. It reports the last epoch again in case the
    previous process died first.
    """
    given = Assignment.from_dict(assignment)
    hold_to_share(given.gpus)
    config = Config.model_validate_json(given.config)
    unsaved: list[str] = []
    streamed: list[str] = []

    def report(epoch: Epoch) -> None:
        floor = given.floor if epoch.epoch >= given.floor_from else None
        told = replace(
            as_report(epoch, floor),
            unsaved=unsaved.pop() if unsaved else None,
            streamed=streamed.pop() if streamed else None,
        )
        tune.report(told.to_dict())
        if told.infeasible is not None:
            raise _InfeasibleError

    try:
        data = open_dataset(config)
        trained = fit(
            config,
            data,
            on_epoch=report,
            on_streamed=streamed.append,
            on_unsaved=lambda error: unsaved.append(str(error)),
            checkpoint=Path(given.checkpoint),
        )
        try:
            keep(trained, config, data, Path(given.kept))
        except UserError as error:
            tune.report(TrialReport(unsaved=str(error)).to_dict())
    except _InfeasibleError:
        pass
    except DivergedError as error:
        tune.report(TrialReport(infeasible=str(error)).to_dict())
    except torch.cuda.OutOfMemoryError as error:
        failure = f"{str(error).splitlines()[0]} {OUT_OF_MEMORY}"
        tune.report(TrialReport(failure=failure, out_of_memory=True).to_dict())
    except UserError as error:
        tune.report(TrialReport(failure=str(error)).to_dict())


def keep(trained: Fit, config: Config, data: FactorDataset, folder: Path) -> None:
    """Save pictures of a trained method on validation images, and its encoder as a checkpoint.

    They are ``retrieval.png``, ``reconstruction.png`` (if the method has a generator) and the checkpoint,
    which ``python -m dcodr evaluate`` measures on the test images.

    Raises:
        UserError: If they cannot be written.
    """
    device = resolve_device(config.device)
    pictures = {
        "retrieval": retrieval_picture(trained.method, data, "validation", device),
        "reconstruction": swap_picture(trained.method, data, "validation", device),
    }
    for name, picture in pictures.items():
        if picture is not None:
            with appearing(folder / f"{name}.png") as temporary:
                picture.save(temporary, format="png", optimize=True)
    last = Epoch(config.epochs, {}, trained.report, 0.0)
    weights = {f"encoder.{name}": value for name, value in trained.method.encoder.state_dict().items()}
    save_checkpoint(
        folder / CHECKPOINT,
        Checkpoint(config, data.fingerprint, last, weights, {}, data.image_size, data.fit),
    )
    before(folder / CHECKPOINT).unlink(missing_ok=True)


def as_report(epoch: Epoch, floor: float | None) -> TrialReport:
    """Turn an epoch into a report; below the floor of informativeness it is infeasible."""
    losses = {f"train/{name}": value for name, value in epoch.losses.items()}
    report = TrialReport(epoch=epoch.epoch, training={**losses, "images_per_second": epoch.images_per_second})
    if epoch.report is None:
        return report
    infeasible = epoch.report.infeasible
    informativeness = epoch.report.metrics.get("informativeness", math.inf)
    if floor is not None and informativeness < floor:
        infeasible = infeasible or f"informativeness {informativeness:.3f} is below the floor {floor:g}"
    return replace(
        report, metrics=epoch.report.metrics, intervals=epoch.report.intervals, infeasible=infeasible
    )
