"""Records of trials in the ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from dcodr.config import Config
from tuning.ledger.encoding import decode
from tuning.space import Space

CHECKPOINTS, KEPT = "checkpoints", "trials"
"""Folders in a search's folder: for running trials, and for trials of full budget."""
METRICS = "figures"
"""The name of an epoch's metrics in the ledger, whose files keep the names of earlier versions."""
PAPER = "paper"
"""The origin of the trial with the paper's settings."""
AWAY = "away"
"""The fact of a resumed trial: seconds in which it was interrupted, and the time of its last resumption."""
Outcome = Literal["complete", "pruned", "infeasible", "failed"]
"""``complete`` trained to its last epoch; ``pruned`` was stopped early; ``infeasible`` has a collapsed code;
``failed`` has no metrics. Only complete trials can be on the front."""
TrialStatus = Outcome | Literal["running", "interrupted", "reused"]
STATUS_WORDS = {"pruned": "stopped early", "reused": "repeats of earlier trials"}
"""Words for a status where people read it; ledger, tags and JSON keep the status itself."""


def status_words(status: str) -> str:
    """Return the words for a status."""
    return STATUS_WORDS.get(status, status)


@dataclass(frozen=True)
class FirstTrial:
    """A first trial of a search.

    Attributes:
        values: Values of the searched settings that the trial's method uses.
        origin: Origin of the values; ``paper`` for the paper's settings.
    """

    values: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class Begun:
    """A trial to train.

    Attributes:
        number: The trial's number in the search, from 0.
        values: Values of the searched settings that the trial's method uses.
        config: The config to train, with the trial's seed.
        confirms: Number of the trial that this trial confirms with another seed, if any.
        gpus: The trial's share of a GPU, if it differs from the search's.
        baseline: Whether the trial is the search's baseline: the paper's settings, always trained to the end.
    """

    number: int
    values: dict[str, Any]
    config: Config
    confirms: int | None
    gpus: float | None = None
    baseline: bool = False

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.config.seed


@dataclass(frozen=True)
class EpochRecord:
    """Record of one epoch of a trial.

    Attributes:
        at: Time of the record, in seconds since 1970.
        training: Losses and throughput.
        metrics: Validation metrics, if the epoch was evaluated: objectives, raw accuracies, their chance.
        intervals: 95 % confidence intervals of some metrics.
    """

    at: float
    training: dict[str, float]
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class TrialRecord:
    """Record of one trial in the ledger.

    Attributes:
        number: The trial's number in the search, from 0.
        status: The outcome, or ``running`` (also a trial that was interrupted and will resume),
            ``interrupted`` (will not resume) or ``reused`` (repeats an earlier trial and has its result).
        values: Values of the searched settings that the trial's method uses.
        seed: Seed of the training.
        origin: Origin of the values of a first trial; ``paper`` for the paper's settings.
        confirms: Number of the trial that this trial confirms with another seed, if any.
        repeats: Number of the trial whose result a ``reused`` trial has.
        epochs: Record of each epoch, in order.
        reason: The reason why the trial is infeasible or failed.
        gpus: The trial's share of a GPU, if it differed from the search's.
        seconds: Duration in seconds, without interruptions.
        began: Time of its beginning, in seconds since 1970.
        end: Time of its end, in seconds since 1970; of its beginning, if it has not ended.
        test: Test metrics, if they were measured.
        test_intervals: 95 % confidence intervals of some test metrics.
    """

    number: int
    status: TrialStatus
    values: dict[str, Any]
    seed: int
    origin: str | None
    confirms: int | None
    repeats: int | None
    epochs: dict[int, EpochRecord]
    reason: str | None
    gpus: float | None
    seconds: float
    began: float = 0.0
    end: float = 0.0
    test: dict[str, float] = field(default_factory=dict)
    test_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The number of completed epochs."""
        return max(self.epochs, default=0)

    @property
    def evaluated(self) -> dict[int, EpochRecord]:
        """The epochs with validation metrics."""
        return {epoch: record for epoch, record in self.epochs.items() if record.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """The last validation metrics."""
        return next((record.metrics for record in reversed(self.epochs.values()) if record.metrics), {})

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % confidence intervals of some of the last validation metrics."""
        return next((record.intervals for record in reversed(self.epochs.values()) if record.metrics), {})

    @property
    def paper(self) -> bool:
        """True for the trial with the paper's settings."""
        return self.origin == PAPER

    @property
    def counts(self) -> bool:
        """True if the trial takes from the budget: no confirmation, no repeat, and it was begun for good."""
        return self.confirms is None and self.status not in ("interrupted", "reused")

    @property
    def in_words(self) -> str:
        """The trial in words: ``trial 008``, or of a confirmation ``trial 008 with seed 3``."""
        if self.confirms is None:
            return f"trial {self.number:03d}"
        return f"trial {self.confirms:03d} with seed {self.seed}"

    @property
    def readable(self) -> dict[str, object]:
        """The values, each subset as one text, e.g. ``crop+affine``."""
        return {key: "+".join(v) if isinstance(v, tuple) else v for key, v in self.values.items()}


def identity(trial: Begun | TrialRecord) -> str:
    """Return a key that is equal for trials with the same training: values and seed."""
    return json.dumps([trial.values, trial.seed], sort_keys=True)


def kept_of(folder: Path, number: int) -> Path:
    """Return the folder of the pictures and the encoder of a trial of full budget."""
    return folder / KEPT / f"{number:03d}"


def checkpoint_of(folder: Path, number: int) -> Path:
    """Return the path of a running trial's checkpoint."""
    return folder / CHECKPOINTS / f"{number:03d}.pt"


def history(facts: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Return the validation metrics in a trial's facts, by epoch, ascending."""
    return {epoch: noted[METRICS] for epoch, noted in _noted(facts).items() if METRICS in noted}


def read(trial: FrozenTrial, space: Space) -> TrialRecord:
    """Read the record of a trial from the study."""
    facts, status = trial.user_attrs, _status(trial)
    taken = trial.duration.total_seconds() if trial.duration else 0.0
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return TrialRecord(
        number=trial.number,
        status=status,
        values=decode(space.params, trial.params),
        seed=facts.get("seed", space.base.seed),
        origin=facts.get("origin"),
        confirms=facts.get("confirms"),
        repeats=facts.get("repeats"),
        epochs={epoch: _epoch(noted) for epoch, noted in _noted(facts).items()},
        # A process that was killed while it closed a trial may have left a reason, and the trial went on.
        reason=facts.get({"infeasible": "infeasible", "failed": "failure"}.get(status, "")),
        gpus=facts.get("gpus"),
        seconds=max(taken - facts.get(AWAY, (0.0, 0.0))[0], 0.0),
        began=began,
        end=trial.datetime_complete.timestamp() if trial.datetime_complete else began,
    )


def _noted(facts: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the facts of each epoch, in order."""
    named = {
        int(name.removeprefix("epoch/")): noted for name, noted in facts.items() if name.startswith("epoch/")
    }
    return dict(sorted(named.items()))


def _epoch(noted: Mapping[str, Any]) -> EpochRecord:
    intervals = {name: (low, high) for name, (low, high) in noted.get("intervals", {}).items()}
    return EpochRecord(noted["at"], noted["training"], noted.get(METRICS, {}), intervals)


def _status(trial: FrozenTrial) -> TrialStatus:
    if trial.state == TrialState.RUNNING:
        return "running"
    if "repeats" in trial.user_attrs:
        return "reused"
    # Optuna has one state for both: only a trial that failed has a reason.
    if trial.state == TrialState.FAIL:
        return "failed" if "failure" in trial.user_attrs else "interrupted"
    if "infeasible" in trial.user_attrs:
        return "infeasible"
    return "complete" if trial.state == TrialState.COMPLETE else "pruned"
