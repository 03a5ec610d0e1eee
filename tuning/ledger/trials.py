"""Trials, as the ledger hands them out and knows them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from tuning.ledger.encoding import decode
from tuning.ledger.outcome import Outcome
from tuning.space import Space

CHECKPOINTS, KEPT = "checkpoints", "trials"
"""Folders in a search's: of running trials, and of those of full budget."""
PAPER = "paper"
"""The origin of the trial with the paper's settings."""
Status = Outcome | Literal["running", "interrupted", "reused"]


@dataclass(frozen=True)
class FirstTrial:
    """A trial that a search begins with.

    Attributes:
        values: Its values of the searched settings that its method uses.
        origin: Where they come from; ``paper`` for the paper's settings.
    """

    values: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class Begun:
    """A trial to train.

    Attributes:
        number: Its number in the search, from 0.
        values: Its values of the searched settings that its method uses.
        seed: The seed to train it with.
        confirms: The trial that it trains again with another seed, if it does.
        gpus: Its share of a GPU, if it needs another than the search's.
        baseline: Whether it is the search's baseline: the paper's settings, which always train to the end.
    """

    number: int
    values: dict[str, Any]
    seed: int
    confirms: int | None
    gpus: float | None = None
    baseline: bool = False


@dataclass(frozen=True)
class EpochRecord:
    """What was recorded of one epoch of a trial.

    Attributes:
        at: When, in seconds since 1970.
        training: Losses and throughput.
        figures: Validation figures, if it was evaluated: objectives, raw accuracies, their chance.
        intervals: 95 % confidence intervals of some of them.
    """

    at: float
    training: dict[str, float]
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as the ledger knows it.

    Attributes:
        number: Its number in the search, from 0.
        status: Its outcome; ``running``, also where it was cut off and will go on; ``interrupted``, if it was
            cut off for good; ``reused``, if it repeats an earlier one and has its result.
        values: Its values of the searched settings that its method uses.
        seed: The seed it is trained with.
        origin: Where its values come from, if the search began with them; ``paper`` for the paper's settings.
        confirms: The trial that it trains again with another seed, if it does.
        repeats: The trial whose result it has, if it is ``reused``.
        epochs: What was recorded of each epoch, in order.
        reason: Why it is infeasible or failed.
        gpus: Its share of a GPU, if it needed another than the search's.
        seconds: How long it took.
        test: Its test figures, if they were measured.
    """

    number: int
    status: Status
    values: dict[str, Any]
    seed: int
    origin: str | None
    confirms: int | None
    repeats: int | None
    epochs: dict[int, EpochRecord]
    reason: str | None
    gpus: float | None
    seconds: float
    test: dict[str, float] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs it completed."""
        return max(self.epochs, default=0)

    @property
    def evaluated(self) -> dict[int, EpochRecord]:
        """The epochs with validation figures."""
        return {epoch: record for epoch, record in self.epochs.items() if record.figures}

    @property
    def figures(self) -> dict[str, float]:
        """Its last validation figures."""
        return next((record.figures for record in reversed(self.epochs.values()) if record.figures), {})

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % confidence intervals of some of its last validation figures."""
        return next((record.intervals for record in reversed(self.epochs.values()) if record.figures), {})

    @property
    def paper(self) -> bool:
        """Whether its values are the paper's."""
        return self.origin == PAPER

    @property
    def readable(self) -> dict[str, object]:
        """Its values, each subset as one text, e.g. ``crop+affine``."""
        return {key: "+".join(v) if isinstance(v, tuple) else v for key, v in self.values.items()}


def identity(trial: Begun | TrialRecord) -> str:
    """What two trials that would train alike have in common."""
    return json.dumps([trial.values, trial.seed], sort_keys=True)


def kept_of(folder: Path, number: int) -> Path:
    """Where the pictures and the encoder of a trial of full budget are, in the search's folder."""
    return folder / KEPT / f"{number:03d}"


def checkpoint_of(folder: Path, number: int) -> Path:
    """Where the checkpoint of a trial is while it runs, in the search's folder."""
    return folder / CHECKPOINTS / f"{number:03d}.pt"


def history(facts: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """The validation figures in a trial's facts, by epoch, ascending."""
    return {epoch: noted["figures"] for epoch, noted in _noted(facts).items() if "figures" in noted}


_SHORT: Mapping[str, str] = {
    "gaussian_blur": "blur",
    "horizontal_flip": "hflip",
    "vertical_flip": "vflip",
    "high_contrast": "contrast",
    "high_saturation": "saturation",
    "high_brightness": "brightness",
    "low_contrast": "-contrast",
    "low_brightness": "-brightness",
    "color_rotation": "rotation",
    "random_erase": "erase",
    "temperature": "t",
    "encoder_lr": "lr",
    "generator_lr": "glr",
    "embedding_lr": "elr",
    "reconstruction_weight": "rec",
}


def label(values: Mapping[str, Any]) -> str:
    """A trial's values in one short line, e.g. ``crop+blur t=0.14 lr=0.001``."""
    words = []
    for key, value in values.items():
        if isinstance(value, tuple):
            words.append("+".join(_SHORT.get(name, name) for name in map(str, value)) or "none")
        else:
            setting = key.rsplit(".")[-1]
            shown = f"{value:.3g}" if isinstance(value, float) else value
            words.append(f"{_SHORT.get(setting, setting)}={shown}")
    return " ".join(words)


def read(trial: FrozenTrial, space: Space) -> TrialRecord:
    """What a trial of the study says of itself."""
    facts = trial.user_attrs
    return TrialRecord(
        number=trial.number,
        status=_status(trial),
        values=decode(space.params, trial.params),
        seed=facts.get("seed", space.base.seed),
        origin=facts.get("origin"),
        confirms=facts.get("confirms"),
        repeats=facts.get("repeats"),
        epochs={epoch: _epoch(noted) for epoch, noted in _noted(facts).items()},
        reason=facts.get("infeasible", facts.get("failure")),
        gpus=facts.get("gpus"),
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _noted(facts: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """What was noted of each epoch, in order."""
    named = {
        int(name.removeprefix("epoch/")): noted for name, noted in facts.items() if name.startswith("epoch/")
    }
    return dict(sorted(named.items()))


def _epoch(noted: Mapping[str, Any]) -> EpochRecord:
    intervals = {name: (low, high) for name, (low, high) in noted.get("intervals", {}).items()}
    return EpochRecord(noted["at"], noted["training"], noted.get("figures", {}), intervals)


def _status(trial: FrozenTrial) -> Status:
    if trial.state == TrialState.RUNNING:
        return "running"
    if "repeats" in trial.user_attrs:
        return "reused"
    if trial.state == TrialState.FAIL:
        return "failed" if "failure" in trial.user_attrs else "interrupted"
    if "infeasible" in trial.user_attrs:
        return "infeasible"
    return "complete" if trial.state == TrialState.COMPLETE else "pruned"
