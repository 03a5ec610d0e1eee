"""One trial: an assignment from the driver, trained on a worker, reported after every epoch."""

from pathlib import Path
from typing import Any

import torch
from ray import tune

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.data.remote import open_dataset
from dcodr.errors import DivergedError, UserError
from dcodr.files import CHECKPOINT, appearing
from dcodr.methods.method import Method
from dcodr.training.checkpoint import Checkpoint, before, save_checkpoint
from dcodr.training.epoch import Epoch
from dcodr.training.memory import hold_to_share
from dcodr.training.pictures import retrieval_picture, swap_picture
from dcodr.training.trainer import fit, resolve_device

OUT_OF_MEMORY = (
    "Give a trial more of the GPU (resources.gpus_per_trial, or resources.on_oom: retry), or make batches or "
    "networks smaller."
)


class _InfeasibleError(Exception):
    """Ends a training whose code cannot compete any more."""


def train_trial(assignment: dict[str, Any]) -> None:
    """Train one config and report each epoch to Tune.

    A report holds ``epoch`` and ``training`` (losses and throughput), where the epoch was evaluated
    ``figures``, ``intervals`` and ``infeasible`` of its validation, ``unsaved``, why there is no checkpoint
    of it, if so, and ``streamed`` in the first, if the images do not lie on the GPU, and why; an infeasible
    one is the last. A training that cannot go on reports ``infeasible`` (its loss is not finite) or
    ``failure`` alone instead, the latter with ``out_of_memory``: Tune would drop the reason of an exception.
    Of one that trains to the end pictures and encoder are kept.

    A training that was cut off goes on from its checkpoint and reports the last epoch before once more.

    Args:
        assignment: ``config``, the config as JSON; ``checkpoint``, the file to save to after every epoch;
            ``kept``, the folder for what remains of the training;
            ``gpus``, the trial's GPUs or share of one; ``floor``, the least informativeness from epoch
            ``floor_from`` on, or ``None``. The scheduler reads ``number`` and ``baseline``.
    """
    hold_to_share(assignment["gpus"])
    config = Config.model_validate_json(assignment["config"])
    unsaved: list[str] = []
    streamed: list[str] = []

    def report(epoch: Epoch) -> None:
        floor = assignment["floor"] if epoch.epoch >= assignment["floor_from"] else None
        result = as_report(epoch, floor)
        if unsaved:
            result["unsaved"] = unsaved.pop()
        if streamed:
            result["streamed"] = streamed.pop()
        tune.report(result)
        if result.get("infeasible") is not None:
            raise _InfeasibleError

    try:
        data = open_dataset(config)
        trained = fit(
            config,
            data,
            on_epoch=report,
            on_streamed=streamed.append,
            on_unsaved=lambda error: unsaved.append(str(error)),
            checkpoint=Path(assignment["checkpoint"]),
        )
        try:
            keep(trained.method, config, data, Path(assignment["kept"]))
        except UserError as error:
            tune.report({"unsaved": str(error)})
    except _InfeasibleError:
        pass
    except DivergedError as error:
        tune.report({"infeasible": str(error)})
    except torch.cuda.OutOfMemoryError as error:
        tune.report({"failure": f"{str(error).splitlines()[0]} {OUT_OF_MEMORY}", "out_of_memory": True})
    except UserError as error:
        tune.report({"failure": str(error)})


def keep(method: Method, config: Config, data: FactorDataset, folder: Path) -> None:
    """Draw what a trained method does to validation images, and keep its encoder as a checkpoint.

    Args:
        method: Trained to the end.
        config: Its config.
        data: What it was trained on.
        folder: Where to write ``retrieval.png``, ``reconstruction.png`` (if it has a generator) and the
            checkpoint, from which ``python -m dcodr evaluate`` measures it on the test images.

    Raises:
        UserError: If they cannot be written.
    """
    device = resolve_device(config.device)
    pictures = {
        "retrieval": retrieval_picture(method, data, "validation", device),
        "reconstruction": swap_picture(method, data, "validation", device),
    }
    for name, picture in pictures.items():
        if picture is not None:
            with appearing(folder / f"{name}.png") as temporary:
                picture.save(temporary, format="png", optimize=True)
    last = Epoch(config.epochs, {}, None, 0.0)
    weights = {f"encoder.{name}": value for name, value in method.encoder.state_dict().items()}
    save_checkpoint(folder / CHECKPOINT, Checkpoint(config, data.fingerprint, last, weights, {}))
    before(folder / CHECKPOINT).unlink(missing_ok=True)


def as_report(epoch: Epoch, floor: float | None) -> dict[str, Any]:
    """An epoch as plain values.

    Args:
        epoch: The epoch.
        floor: Least informativeness that is feasible; ``None`` for any.
    """
    losses = {f"train/{name}": value for name, value in epoch.losses.items()}
    report: dict[str, Any] = {"epoch": epoch.epoch}
    report["training"] = {**losses, "images_per_second": epoch.images_per_second}
    if epoch.report is not None:
        report |= vars(epoch.report)
        informativeness = epoch.report.figures.get("informativeness")
        if floor is not None and informativeness is not None and informativeness < floor:
            report["infeasible"] = report["infeasible"] or (
                f"informativeness {informativeness:.3f} is below the floor {floor:g}"
            )
    return report
