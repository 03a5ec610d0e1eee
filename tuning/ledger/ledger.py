"""The durable record of a search: an Optuna study in one append-only file, written by the driver alone."""

import itertools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from pydantic import TypeAdapter

from dcodr.errors import UserError
from dcodr.words import counted
from tuning.ledger.encoding import decode, encode, is_whole, suggest
from tuning.ledger.journal import Journal
from tuning.ledger.trials import AWAY, METRICS, PAPER, Begun, FirstTrial, Outcome, TrialRecord, identity, read
from tuning.space import Space

STUDY = "search"
TESTED, TEST_INTERVALS = "tested", "test_intervals"
SEARCHED = "searched"
"""The fact that no more trials begin, only confirmations."""
_RECORDS = TypeAdapter(list[TrialRecord])


class Ledger:
    """The record of a search: the trials that were drawn, and their results.

    :class:`tuning.ledger.queue.Queue` decides which trial begins next.
    """

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.space = Space.model_validate_json(study.user_attrs["space"])
        self._open: dict[int, tuple[Trial, Begun]] = {}
        self._twins: dict[str, int] = {}
        self._held: list[tuple[Trial, int]] = []
        self._ended: dict[int, TrialRecord] = {}
        self._find_repeats()

    def __repr__(self) -> str:
        of = f"space {self.space.name!r} and {self.space.base.dataset}"
        return f"<Ledger of {of}: {counted(sum(record.counts for record in self.records()), 'trial')}>"

    @classmethod
    def create(
        cls, path: Path | None, space: Space, facts: Mapping[str, Any], first: Sequence[FirstTrial] = ()
    ) -> "Ledger":
        """Begin a ledger.

        Args:
            path: A file that does not exist yet; it appears whole. ``None`` keeps the ledger in memory, for a
                rehearsal.
            space: The search space.
            facts: Other facts of the search to keep, as JSON values.
            first: The first trials.
        """
        _quiet()
        # The file is written under another name and moved: a killed driver leaves no half ledger.
        new = path and path.with_name(f"{path.name}.new")
        if new is not None:
            new.unlink(missing_ok=True)
        study = optuna.create_study(
            storage=InMemoryStorage() if new is None else _storage(new),
            study_name=STUDY,
            directions=list(space.objectives.values()),
        )
        with warnings.catch_warnings():
            # Optuna warns that names of metrics are experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(space.objectives))
        study.set_user_attr("space", space.model_dump_json())
        for name, value in facts.items():
            study.set_user_attr(name, value)
        for trial in first:
            study.enqueue_trial(encode(space.params, trial.values), user_attrs={"origin": trial.origin})
        if path is None or new is None:
            return cls(study)
        new.replace(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """Open a ledger without changing it.

        Raises:
            UserError: If there is no ledger at ``path``, or it cannot be read.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such ledger; 'python -m tuning list' shows the searches there are")
        _quiet()
        try:
            ledger = cls(optuna.load_study(study_name=STUDY, storage=_storage(path)))
            records = ledger.records()
            _RECORDS.validate_python([vars(record) for record in records])
            for record in records:
                ledger._check_objectives(record)
        # A damaged file can make Optuna raise any exception while it replays the entries.
        except Exception as error:
            raise UserError(f"{path}: not a ledger of a search, or damaged: {error}") from error
        return ledger

    def facts(self) -> dict[str, Any]:
        """Return the facts of ``create`` and ``remember``."""
        return dict(self.study.user_attrs)

    def remember(self, name: str, value: Any) -> None:
        """Keep a fact of the whole search, as a JSON value."""
        self.study.set_user_attr(name, value)

    def ready(self, sampler: Callable[[Space, int], BaseSampler], space: Space | None = None) -> list[int]:
        """Prepare to draw trials; return those that were interrupted, without confirmations.

        A trial that was interrupted while its values were drawn is closed; if its values were given, the
        trial begins again.

        Args:
            sampler: Makes the sampler from a space and a seed. The seed depends on the number of trials, as
                the same seed would repeat the first proposals.
            space: The space with other budgets, if they have changed. The constant answers stay those that
                the search began with, so that gains and hypervolumes compare.
        """
        if space is not None:
            self.space = space.model_copy(update={"constant_answers": self.space.constant_answers})
            self._ended.clear()
            self.remember("space", self.space.model_dump_json())
        trials = self.study.get_trials(deepcopy=False)
        self.study.sampler = sampler(self.space, self.space.search.seed + len(trials))
        for trial in trials:
            if trial.state == TrialState.RUNNING and not is_whole(self.space.params, trial.params):
                # Optuna's own name for the values of an enqueued trial.
                if "fixed_params" in trial.system_attrs:
                    origin = trial.user_attrs.get("origin")
                    attrs = {"origin": origin} if origin else None
                    self.study.enqueue_trial(trial.system_attrs["fixed_params"], user_attrs=attrs)
                self.study.tell(trial.number, state=TrialState.FAIL)
        self._open.clear()
        self._find_repeats()
        # Repeats of a trial that has ended meanwhile get its result; those of a trial that resumes wait.
        for twin in {twin for _, twin in self._held} & self._ended.keys():
            self._settle(twin)
        return [record.number for record in self.running() if record.confirms is None]

    def draw(self) -> Begun | None:
        """Draw a trial and open it; return ``None`` if it is not to be trained.

        A draw that repeats an earlier trial gets the earlier result, at once or when the earlier trial ends.
        A draw whose values no config may have together is closed.
        """
        trial = self.study.ask()
        values = suggest(trial, self.space.params)
        try:
            config = self.space.config(values)
        except UserError:
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        paper = trial.user_attrs.get("origin") == PAPER
        begun = Begun(trial.number, values, config, confirms=None, baseline=paper)
        twin = self._twins.setdefault(identity(begun), begun.number)
        if twin == begun.number:
            self._open[begun.number] = trial, begun
            return begun
        self._held.append((trial, twin))
        if twin in self._ended:
            self._settle(twin)
        return None

    def resume(self, number: int) -> Begun:
        """Open a trial that was begun earlier."""
        frozen = self.study.get_trials(deepcopy=False)[number]
        record = read(frozen, self.space)
        config = self.space.config(record.values).model_copy(update={"seed": record.seed})
        begun = Begun(number, record.values, config, record.confirms, record.gpus, record.paper)
        self._open[number] = Trial(self.study, frozen._trial_id), begun
        # The pause, since the last sign of life, is no part of the time that the trial took.
        pause, back = frozen.user_attrs.get(AWAY, (0.0, record.began))
        now, seen = time.time(), max([back, *(one.at for one in record.epochs.values())])
        self.note(number, **{AWAY: (round(pause + max(now - seen, 0), 3), round(now, 3))})
        return begun

    def opened(self, number: int) -> bool:
        """Return whether this process has begun or resumed a trial, which has not ended."""
        return number in self._open

    def release(self, number: int) -> None:
        """Give up an open trial without an end; it can be resumed."""
        del self._open[number]

    def confirm(self, number: int, seed: int) -> Begun:
        """Open a confirmation: a complete trial with another seed. One that was interrupted resumes."""
        for record in self.running():
            if (record.confirms, record.seed) == (number, seed):
                return self.resume(record.number)
        known = self.study.get_trials(deepcopy=False)[number]
        # Optuna's queue is not used, because first trials may wait there for a larger budget.
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=known.params,
                distributions=known.distributions,
                user_attrs={"confirms": number, "seed": seed},
            )
        )
        begun = self.resume(len(self.study.get_trials(deepcopy=False)) - 1)
        self._twins[identity(begun)] = begun.number
        return begun

    def drop_confirmations(self) -> None:
        """Close the interrupted confirmations that were not asked for again."""
        for record in self.running():
            if record.confirms is not None and record.number not in self._open:
                self.study.tell(record.number, state=TrialState.FAIL)

    def note(self, number: int, **facts: Any) -> None:
        """Attach facts as JSON values to a trial that this process has begun."""
        for name, value in facts.items():
            self._open[number][0].set_user_attr(name, value)

    def note_epoch(
        self,
        number: int,
        epoch: int,
        *,
        training: Mapping[str, float],
        metrics: Mapping[str, float] | None = None,
        intervals: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Record that a trial of this process has completed an epoch.

        An epoch without ``metrics`` was not evaluated.
        """
        facts = {"training": training, METRICS: metrics, "intervals": intervals}
        known = {name: dict(value) for name, value in facts.items() if value is not None}
        self.note(number, **{f"epoch/{epoch}": {"at": round(time.time(), 3), **known}})

    def note_test(
        self,
        number: int,
        metrics: Mapping[str, float],
        intervals: Mapping[str, tuple[float, float]] = {},
    ) -> None:
        """Record the test metrics of a trial that has ended, and 95 % intervals of some of them.

        Optuna does not allow additions to such a trial, so the metrics are a fact of the search.
        """
        facts, key = self.facts(), str(number)
        # The metrics come last: a training that has them counts as measured.
        self.remember(TEST_INTERVALS, {**facts.get(TEST_INTERVALS, {}), key: dict(intervals)})
        self.remember(TESTED, {**facts.get(TESTED, {}), key: dict(metrics)})

    def begun(self, number: int) -> Begun:
        """Return a running trial that this process has begun or resumed."""
        return self._open[number][1]

    def end(
        self, number: int, *, full_budget: bool, infeasible: str | None = None, failure: str | None = None
    ) -> Outcome:
        """Close a trial with the epochs noted; return its outcome.

        Args:
            number: A trial that this process has begun.
            full_budget: Whether the trial trained to its last epoch; if not, Optuna is told PRUNED.
            infeasible: The reason why the trial must not compete, if it is infeasible.
            failure: The reason why the trial failed; a trial without metrics fails in any case.
        """
        record = self.record(number)
        trial, begun = self._open.pop(number)
        objectives = [record.metrics[name] for name in self.space.objectives if name in record.metrics]
        measured = len(objectives) == len(self.space.objectives)
        outcome: Outcome
        if infeasible is not None:
            outcome = "infeasible"
            trial.set_user_attr("infeasible", infeasible)
            trial.set_constraint("feasible", 1.0)
        elif failure is not None or not measured:
            outcome = "failed"
            trial.set_user_attr("failure", failure or "it was never evaluated")
            # A failed trial has no result to reuse: a later draw of the same values is trained.
            del self._twins[identity(begun)]
        else:
            outcome = "complete" if full_budget else "pruned"
        # Optuna takes values of complete trials only, and samplers must not learn from low budgets as if they
        # were full ones: a trial that was stopped early is PRUNED.
        if outcome == "failed":
            self.study.tell(trial, state=TrialState.FAIL)
        elif full_budget and measured:
            self.study.tell(trial, objectives)
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
        self._ended[number] = read(trial.storage.get_trial(trial._trial_id), self.space)
        self._settle(number)
        return outcome

    def record(self, number: int) -> TrialRecord:
        """Return the record of a trial that this process has begun or resumed."""
        if number in self._ended:
            return self._with_tests([self._ended[number]])[0]
        trial = self._open[number][0]
        return read(trial.storage.get_trial(trial._trial_id), self.space)

    def ended(self, number: int) -> TrialRecord | None:
        """Return the record of a trial that has ended; ``None`` if it has not."""
        return self.record(number) if number in self._ended else None

    def first_trials(self) -> list[FirstTrial]:
        """Return the first trials that have not begun."""
        waiting = [t for t in self.study.get_trials(deepcopy=False) if t.state == TrialState.WAITING]
        return [
            FirstTrial(
                decode(self.space.params, trial.system_attrs["fixed_params"]), trial.user_attrs["origin"]
            )
            for trial in waiting
        ]

    def records(self) -> list[TrialRecord]:
        """Return all trials whose parameters were drawn, by number."""
        return self._with_tests([self._read(trial) for trial in self.begun_trials()])

    def running(self) -> list[TrialRecord]:
        """Return the trials that have begun and not ended, by number, without repeats, which wait."""
        held = {trial.number for trial, _ in self._held}
        running = (record for record in self.records() if record.status == "running")
        return [record for record in running if record.number not in held]

    def endings(self, since: int = 0) -> list[TrialRecord]:
        """Return the trials that have ended, in the order of their ends, without the first ``since``."""
        return list(itertools.islice(self._ended.values(), since, None))

    def _check_objectives(self, record: TrialRecord) -> None:
        """Raise ``UserError`` if a trial competes without an objective."""
        missing = [name for name in self.space.objectives if name not in record.metrics]
        if missing and record.status in ("complete", "pruned"):
            raise UserError(f"{record.in_words} has no {', '.join(missing)}")

    def _read(self, trial: FrozenTrial) -> TrialRecord:
        """Return a trial's record; an ended trial is read only once, as it never changes."""
        if not trial.state.is_finished():
            return read(trial, self.space)
        if trial.number not in self._ended:
            self._ended[trial.number] = read(trial, self.space)
        return self._ended[trial.number]

    def _with_tests(self, records: list[TrialRecord]) -> list[TrialRecord]:
        """Return records with the test metrics of their trials."""
        # Read anew each time: another process may have measured them since.
        facts = self.facts()
        tested, limits = facts.get(TESTED, {}), facts.get(TEST_INTERVALS, {})

        def measured(record: TrialRecord, key: str) -> TrialRecord:
            intervals = {name: (low, high) for name, (low, high) in limits.get(key, {}).items()}
            return replace(record, test=dict(tested[key]), test_intervals=intervals)

        return [
            measured(record, key) if (key := str(record.number)) in tested else record for record in records
        ]

    def begun_trials(self) -> list[FrozenTrial]:
        """Return the trials that have all their parameters; a driver may die while it draws them."""
        trials = self.study.get_trials(deepcopy=False)
        waiting, params = TrialState.WAITING, self.space.params
        return [
            trial
            for trial in trials
            if trial.number in self._ended or (trial.state != waiting and is_whole(params, trial.params))
        ]

    def _settle(self, number: int) -> None:
        """Copy an ended trial's result to the draws that repeat the trial."""
        repeats = [trial for trial, twin in self._held if twin == number]
        if not repeats:
            return
        self._held = [(trial, twin) for trial, twin in self._held if twin != number]
        result = self.study.get_trials(deepcopy=False)[number]
        for trial in repeats:
            trial.set_user_attr("repeats", number)
            for name, value in result.constraints.items():
                trial.set_constraint(name, value)
            self.study.tell(trial, result.values, result.state)

    def _find_repeats(self) -> None:
        """Find the trials' repeats."""
        self._twins.clear()
        self._held.clear()
        # Ended trials come first: so a repeat that still runs finds the trial whose result it gets.
        for trial in sorted(self.begun_trials(), key=lambda trial: trial.datetime_complete or datetime.max):
            record = self._read(trial)
            if record.status in ("interrupted", "reused", "failed"):
                continue
            # A running repeat of an earlier trial waits for that trial's result; it is not trained.
            twin = self._twins.setdefault(identity(record), record.number)
            if twin != record.number and record.status == "running":
                self._held.append((Trial(self.study, trial._trial_id), twin))


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(Journal(path))


def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
