"""Everything that happens to a trial, written by the driver to ledger, MLflow and display."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from dcodr.words import counted
from tuning.driver.display import Display
from tuning.driver.protocol import Assignment, TrialReport
from tuning.interrupts import undisturbed
from tuning.ledger.queue import Queue
from tuning.ledger.trials import checkpoint_of
from tuning.results.search import Search
from tuning.space.words import label
from tuning.tracking.outbox import Outbox

WORKER_DEATHS = 3
"""Times that a trial resumes at its checkpoint after its worker or node died, before it counts as failed."""


@dataclass
class _Progress:
    """The progress of a running trial; ``recorded`` is the last epoch in the ledger."""

    label: str
    epochs: int
    recorded: int
    epoch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    last: TrialReport = field(default_factory=TrialReport)


class Recorder(Callback):
    """Tune's callbacks, on the driver.

    A trial's checkpoint is deleted when the trial has ended, and its kept encoder when it is on no front.
    """

    def __init__(self, search: Search, queue: Queue, outbox: Outbox, display: Display) -> None:
        self._search = search
        self._ledger = search.ledger
        self._queue = queue
        self._outbox = outbox
        self._display = display
        self._started: dict[int, _Progress] = {}
        self._put_back: Counter[int] = Counter()

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles its configuration, and the search's state does not belong there."""
        return {}

    @undisturbed()
    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show a trial that begins or resumes."""
        number = Assignment.from_dict(trial.config).number
        if number in self._started:  # its worker died, and Tune has started another
            return
        record = self._ledger.record(number)
        name = label(record.values)
        if record.confirms is not None:
            name = f"confirms {record.confirms:03d} with seed {record.seed}"
        epochs = self._ledger.space.base.epochs  # all trials are of one length
        self._started[number] = _Progress(name, epochs, record.epoch, metrics=record.metrics)
        self._outbox.put(record)
        self._display.trial_started(number, name)

    @undisturbed()
    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch, or the reason why the trial cannot continue."""
        number, report = Assignment.from_dict(trial.config).number, TrialReport.from_dict(result)
        progress = self._started[number]
        progress.last = report
        if report.unsaved is not None:
            what = "continues without a checkpoint"
            if report.epoch is None:  # it is over
                what = "is trained and measured, but not all of its pictures and encoder are kept"
            self._display.say(f"trial {number:03d} {what}: {report.unsaved}")
        if report.streamed is not None:
            self._display.say(f"trial {number:03d} {report.streamed}")
        if report.epoch is None:
            return
        progress.epoch = report.epoch
        if report.metrics is not None:
            progress.metrics = report.metrics
        if progress.epoch > progress.recorded:
            self._ledger.note_epoch(
                number,
                progress.epoch,
                training=report.training or {},
                metrics=report.metrics,
                intervals=report.intervals,
            )
            progress.recorded = progress.epoch
            self._outbox.put(self._ledger.record(number))
        speed = (report.training or {}).get("images_per_second", 0.0)
        self._display.trial_epoch(number, progress.epoch, progress.epochs, progress.metrics, speed)

    @undisturbed()
    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close a trial that finished or was stopped; put it back if it needs a larger share of a GPU."""
        assignment = Assignment.from_dict(trial.config)
        number, gpus = assignment.number, assignment.gpus
        last = self._started[number].last
        if last.out_of_memory and self._ledger.space.resources.on_oom == "retry" and gpus < 1:
            self._display.say(f"trial {number:03d} restarts with a larger share of a GPU: {last.failure}")
            del self._started[number]
            self._ledger.note(number, gpus=min(1.0, 2 * gpus))
            self._queue.put_back(number)
            return
        self.close(number)

    @undisturbed()
    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close a trial whose worker raised or died too often; put it back if it had not begun to train."""
        number, error = Assignment.from_dict(trial.config).number, trial.get_error()
        if number not in self._started:
            self._put_back[number] += 1
            if self._put_back[number] <= WORKER_DEATHS:
                self._queue.put_back(number)
                return
            self.on_trial_start(iteration, trials, trial)
        text = str(error).strip() or type(error).__name__
        self.close(number, text.splitlines()[-1])

    def close(self, number: int, failure: str | None = None) -> None:
        """Give a trial that has begun its final status everywhere; ``failure`` tells why its worker died."""
        progress = self._started.pop(number)
        failure = failure or progress.last.failure
        if not set(self._ledger.space.objectives) <= set(progress.metrics):
            epochs = counted(progress.recorded, "epoch")
            failure = failure or f"stopped after {epochs}, before its first evaluation"
        outcome = self._ledger.end(
            number,
            full_budget=progress.epoch == progress.epochs,
            infeasible=progress.last.infeasible,
            failure=failure,
        )
        checkpoint = checkpoint_of(self._search.folder, number)
        for begins in ("", "."):  # also the temporary files of a killed process
            for file in checkpoint.parent.glob(f"{begins}{checkpoint.stem}.*"):
                file.unlink(missing_ok=True)
        if outcome == "complete":
            self._search.forget_encoders()
        self._outbox.put(self._ledger.record(number))
        self._display.trial_ended(number, progress.label, outcome, progress.metrics)

    @undisturbed()
    def close_all(self, but: int | None = None) -> None:
        """Close the trials that still run when the search is stopped, but for one that continues."""
        for number in [number for number in self._started if number != but]:
            self.close(number)
