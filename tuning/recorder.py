"""Everything that happens to a trial, written by the driver to ledger, MLflow and display."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from dcodr.augmentation_names import AUGMENTATIONS
from dcodr.checkpoint import before
from dcodr.config import Config, dump_config
from dcodr.method_settings import has_effect
from tuning.display import Display
from tuning.interrupts import undisturbed
from tuning.ledger import Ledger
from tuning.outcome import Outcome
from tuning.tracking import Status, Tracker
from tuning.trials import checkpoint_of

MLFLOW_STATUS: Mapping[Outcome, Status] = {
    "complete": "FINISHED",
    "infeasible": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
}


WORKER_DEATHS = 3
"""How often a trial goes on at its checkpoint after its worker or node died, before it counts as failed."""


@dataclass
class _Progress:
    """What is known of a running trial.

    Attributes:
        run_id: Its MLflow run.
        label: Its values in one line.
        epochs: Epochs of the whole training.
        recorded: The last epoch in the ledger.
        logged: The last epoch in MLflow.
        epoch: Epochs completed.
        figures: Its last figures.
        infeasible: Why it must not compete, if so.
        failure: Why it failed, if it did.
    """

    run_id: str
    label: str
    epochs: int
    recorded: int
    logged: int
    epoch: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    infeasible: str | None = None
    failure: str | None = None


class Recorder(Callback):
    """Tune's callbacks, on the driver.

    Args:
        ledger: The record of the search.
        tracker: The search's MLflow runs.
        display: What the user watches.
        checkpoints: Folder of the trials' checkpoints, which go when a trial has ended.
    """

    def __init__(self, ledger: Ledger, tracker: Tracker, display: Display, checkpoints: Path) -> None:
        self._ledger = ledger
        self._tracker = tracker
        self._display = display
        self._checkpoints = checkpoints
        self._started: dict[int, _Progress] = {}
        self._put_back: Counter[int] = Counter()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its own configuration, and the search's state has no place in it."""
        return {}

    @undisturbed()
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Open the trial's MLflow run, or go on with that of a trial that was cut off."""
        number, config = trial.config["number"], Config.model_validate_json(trial.config["config"])
        if number in self._started:  # its worker died, and Tune has started another
            return
        begun = self._ledger.begun(number)
        name, tags = label(begun.values), {"dataset": config.dataset, "method": config.method}
        if begun.confirms is not None:
            name = f"confirms {begun.confirms:03d} with seed {begun.seed}"
            tags["confirms"] = str(begun.confirms)
        recorded, run_id = self._ledger.noted(number)
        logged = 0
        if run_id is None:
            run_id = self._tracker.start_trial(
                number, f"{number:03d} {name}", readable(config, begun.values), tags, dump_config(config)
            )
            self._ledger.note(number, run_id=run_id)
        else:
            logged = self._tracker.resume_trial(run_id)
        self._started[number] = _Progress(run_id, name, config.epochs, recorded, logged)
        self._display.trial_started(number, name)

    @undisturbed()
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch, why there will be no more, or the figures on the test images."""
        number = trial.config["number"]
        progress = self._started[number]
        progress.infeasible, progress.failure = result.get("infeasible"), result.get("failure")
        if "test" in result:
            self._ledger.note(number, test=result["test"])
            tested = {f"test/{name}": value for name, value in result["test"].items()}
            self._tracker.log_epoch(progress.run_id, progress.epoch, tested)
        if "epoch" not in result:
            return
        progress.epoch = result["epoch"]
        progress.figures = result.get("figures", progress.figures)
        if progress.epoch > progress.recorded:
            noted = {name: result[name] for name in ("training", "figures", "intervals") if name in result}
            self._ledger.note_epoch(number, progress.epoch, **noted)
            progress.recorded = progress.epoch
        if progress.epoch > progress.logged:
            figures = {**result["training"], **result.get("figures", {})}
            self._tracker.log_epoch(progress.run_id, progress.epoch, figures)
            progress.logged = progress.epoch
        self._display.trial_epoch(number, progress.epoch, progress.epochs, progress.figures)

    @undisturbed()
    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close a trial that finished, or that was stopped."""
        self.close(trial.config["number"])

    @undisturbed()
    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close a trial whose worker raised or died too often; put one back that had not begun to train."""
        number, error = trial.config["number"], trial.get_error()
        if number not in self._started:
            self._put_back[number] += 1
            if self._put_back[number] <= WORKER_DEATHS:
                self._ledger.put_back(number)
                return
            self.on_trial_start(iteration, trials, trial)
        text = str(error).strip() or type(error).__name__
        self.close(number, text.splitlines()[-1])

    def close(self, number: int, failure: str | None = None) -> None:
        """Give a trial its final status everywhere.

        Args:
            number: A trial that was begun.
            failure: Why its worker died, if it did.
        """
        progress = self._started.pop(number)
        failure = failure or progress.failure
        if not set(self._ledger.space.objectives) <= set(progress.figures):
            failure = failure or f"stopped after {progress.epoch} epochs, before its first evaluation"
        status = self._ledger.end(
            number,
            full_budget=progress.epoch == progress.epochs,
            infeasible=progress.infeasible,
            failure=failure,
        )
        checkpoint = checkpoint_of(self._checkpoints, number)
        for file in (checkpoint, before(checkpoint)):
            file.unlink(missing_ok=True)
        reason = {"infeasible": progress.infeasible, "failed": failure}.get(status)
        end_run(self._tracker, progress.run_id, status, progress.epoch, reason)
        self._display.trial_ended(number, progress.label, status, progress.figures)

    @undisturbed()
    def close_all(self) -> None:
        """Close what still runs when the search is stopped."""
        for number in list(self._started):
            self.close(number)


def end_run(tracker: Tracker, run_id: str, outcome: Outcome, epoch: int, reason: str | None) -> None:
    """Give a trial's MLflow run its final status and tags."""
    tags = {"status": outcome, "epoch": str(epoch), "reason": reason or ""}
    tracker.end_trial(run_id, MLFLOW_STATUS[outcome], tags)


def label(values: Mapping[str, Any]) -> str:
    """A trial's values in one short line, e.g. ``crop+gaussian_blur temperature=0.14``."""
    return " ".join(
        "+".join(value)
        if isinstance(value, tuple)
        else f"{key.rsplit('.')[-1]}={value:.3g}"
        if isinstance(value, float)
        else f"{key.rsplit('.')[-1]}={value}"
        for key, value in values.items()
    )


def readable(config: Config, values: Mapping[str, Any]) -> dict[str, object]:
    """What MLflow shows as a trial's parameters: what was searched, each augmentation as a boolean too.

    A method without augmentations has none of them.
    """
    params: dict[str, object] = {"epochs": config.epochs, "seed": config.seed, **values}
    if not has_effect("augmentations", config.method):
        return params
    params["augmentations"] = "+".join(config.augmentations)
    return params | {f"augmentation.{name}": name in config.augmentations for name in AUGMENTATIONS}
