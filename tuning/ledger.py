"""The durable record of a search: an Optuna study in one append-only file, written by the driver alone."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, Trial, TrialState

from dcodr.errors import UserError
from tuning.outcome import Outcome
from tuning.sampler import SpaceSampler, decode, distributions, encode
from tuning.space import Space

Status = Outcome | Literal["running", "interrupted"]
STUDY = "search"
STALE_LOCK = 3
"""Seconds after which the lock of a killed driver is broken; a living one holds it for milliseconds."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as the ledger knows it.

    Attributes:
        number: Its number in the search, from 0.
        status: Its outcome; ``running``; or ``interrupted``, if it was cut off and begun anew.
        values: Its values of the searched settings.
        paper: Whether they are the paper's.
        epoch: Epochs it completed.
        training: Losses and throughput of its last epoch.
        figures: Its last validation figures: objectives, raw accuracies, their chance.
        intervals: 95 % confidence intervals of some of them.
        reason: Why it is infeasible or failed.
        run_id: Its MLflow run.
        seconds: How long it took.
    """

    number: int
    status: Status
    values: dict[str, Any]
    paper: bool
    epoch: int
    training: dict[str, float]
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    reason: str | None
    run_id: str | None
    seconds: float


class Ledger:
    """Hands out trials and records what became of them.

    Args:
        path: The ledger's file.
        study: The study in it.
    """

    def __init__(self, path: Path, study: optuna.Study) -> None:
        self.path = path
        self.study = study
        self.space = Space.model_validate_json(study.user_attrs["space"])
        self._distributions = distributions(self.space.params)
        self._open: dict[int, Trial] = {}

    @classmethod
    def create(cls, path: Path, space: Space, facts: Mapping[str, Any]) -> "Ledger":
        """Begin a ledger; the first trial it hands out has the paper's settings.

        Args:
            path: A file that does not exist yet.
            space: What is searched.
            facts: What else is to be remembered of the search, as JSON values.
        """
        _quiet()
        study = optuna.create_study(
            storage=_storage(path), study_name=STUDY, directions=list(space.objectives.values())
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(space.objectives))
        study.set_user_attr("space", space.model_dump_json())
        for name, value in facts.items():
            study.set_user_attr(name, value)
        study.enqueue_trial(encode(space.params, space.paper_values()), user_attrs={"paper": True})
        return cls(path, study)

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """Open a ledger, changing nothing in it.

        Raises:
            UserError: If there is none at ``path``, or it cannot be read.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such ledger; 'python -m tuning list' shows the searches there are")
        _quiet()
        try:
            return cls(path, optuna.load_study(study_name=STUDY, storage=_storage(path)))
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}: no ledger of a search, or damaged: {error}") from error

    def facts(self) -> dict[str, Any]:
        """What ``create`` was given, and ``remember``."""
        return dict(self.study.user_attrs)

    def remember(self, name: str, value: Any) -> None:
        """Keep a fact of the whole search, as a JSON value."""
        self.study.set_user_attr(name, value)

    def ready(self) -> list[int]:
        """Make ready to hand out trials: close what was left running, to be begun anew.

        Returns:
            Numbers of the trials that were cut off.
        """
        trials = self.study.get_trials(deepcopy=False)
        self.study.sampler = SpaceSampler(self.space, seed=self.space.search.seed + len(trials))
        cut_off = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in cut_off:
            params = trial.params if self._drawn(trial) else trial.system_attrs.get("fixed_params")
            if params is not None:
                self.study.enqueue_trial(params, user_attrs={"paper": trial.user_attrs.get("paper", False)})
            self.study.tell(trial.number, state=TrialState.FAIL)
        return [trial.number for trial in cut_off]

    def begin(self) -> tuple[int, dict[str, Any]]:
        """Open the next trial: its number and its values of the searched settings."""
        trial = self.study.ask(self._distributions)
        self._open[trial.number] = trial
        return trial.number, decode(self.space.params, trial.params)

    def note(self, number: int, **facts: Any) -> None:
        """Attach facts, as JSON values, to a trial that this process has begun."""
        for name, value in facts.items():
            self._open[number].set_user_attr(name, value)

    def begun(self, number: int) -> dict[str, Any]:
        """The values of a trial that this process has begun."""
        return decode(self.space.params, self._open[number].params)

    def end(self, number: int, *, full_budget: bool, reason: str | None = None) -> Outcome:
        """Close a trial with the figures last noted.

        Args:
            number: A trial that this process has begun.
            full_budget: Whether it trained to its last epoch; else it is told to Optuna as PRUNED.
            reason: Why it is infeasible or, without figures, failed.

        Returns:
            What it counts as from now on.
        """
        trial = self._open.pop(number)
        figures = trial.user_attrs.get("figures", {})
        values = [figures.get(name) for name in self.space.objectives]
        if reason is not None:
            trial.set_user_attr("reason", reason)
        if None in values:
            self.study.tell(trial, state=TrialState.FAIL)
            return "failed"
        if reason is not None:
            trial.set_constraint("feasible", 1.0)
        if full_budget:
            self.study.tell(trial, values)
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
        if reason is not None:
            return "infeasible"
        return "complete" if full_budget else "pruned"

    def records(self) -> list[TrialRecord]:
        """All trials whose parameters were drawn, by number."""
        trials = self.study.get_trials(deepcopy=False)
        begun = [trial for trial in trials if trial.state != TrialState.WAITING and self._drawn(trial)]
        return [_record(trial, self.space) for trial in begun]

    def _drawn(self, trial: FrozenTrial) -> bool:
        """Whether all of a trial's parameters are known; a driver may die while it draws them."""
        return trial.params.keys() == self._distributions.keys()


def _record(trial: FrozenTrial, space: Space) -> TrialRecord:
    facts = trial.user_attrs
    return TrialRecord(
        number=trial.number,
        status=_status(trial),
        values=decode(space.params, trial.params),
        paper=facts.get("paper", False),
        epoch=facts.get("epoch", 0),
        training=facts.get("training", {}),
        figures=facts.get("figures", {}),
        intervals={name: (low, high) for name, (low, high) in facts.get("intervals", {}).items()},
        reason=facts.get("reason"),
        run_id=facts.get("run_id"),
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _status(trial: FrozenTrial) -> Status:
    if trial.state == TrialState.RUNNING:
        return "running"
    if trial.state == TrialState.FAIL:
        return "failed" if "reason" in trial.user_attrs else "interrupted"
    if "reason" in trial.user_attrs:
        return "infeasible"
    return "complete" if trial.state == TrialState.COMPLETE else "pruned"


def _storage(path: Path) -> JournalStorage:
    file = str(path.resolve())
    return JournalStorage(JournalFileBackend(file, JournalFileSymlinkLock(file, grace_period=STALE_LOCK)))


def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
