"""A search in its folder: its ledger, its results so far, and the files that go when trials have ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from tuning.ledger.ledger import Ledger
from tuning.ledger.lock import driven
from tuning.ledger.storage import LEDGER, names
from tuning.ledger.trials import CHECKPOINTS, KEPT, TrialRecord
from tuning.pareto import dominators
from tuning.results.dataframe import dataframe, front_html
from tuning.results.results import Results
from tuning.space import Space
from tuning.space.shipped import program

if TYPE_CHECKING:
    import pandas as pd

START = f"start one with `{' '.join(program())} quick`"
"""Advice where there is no search."""


@dataclass(frozen=True, repr=False)
class Search:
    """A search as its ledger holds it, during the search or afterwards."""

    folder: Path
    ledger: Ledger

    def __new__(cls, *args: object, **_: object) -> Self:
        """Refuse a name, which :meth:`open` takes."""
        if args and isinstance(args[0], str):
            raise UserError(f"Search({args[0]!r}): open a search by its name with Search.open({args[0]!r})")
        return super().__new__(cls)

    @classmethod
    def open(cls, name: str, storage: str | Path = "runs") -> "Search":
        """Open a search by name, without changing it.

        Args:
            name: The search's name.
            storage: The folder that holds all searches.

        Raises:
            UserError: If there is no search of that name.
        """
        storage = Path(storage)
        folder = storage / name
        try:
            there, known = (folder / LEDGER).is_file(), ", ".join(names(storage)) or f"none: {START}"
        except OSError as error:  # e.g. a name that is too long
            raise UserError(f"search {name!r} in {storage}: cannot be read: {error.strerror}") from None
        if not there:
            raise UserError(f"no search named {name!r} in {storage}; there are: {known}")
        return cls(folder, Ledger.open(folder / LEDGER))

    def __repr__(self) -> str:
        return f"<Search {self.results()}>"

    def _repr_html_(self) -> str:
        return front_html(self.results())

    @property
    def name(self) -> str:
        """The search's name."""
        return self.folder.name

    @property
    def identity(self) -> str:
        """The unique id of the search, by which its MLflow runs are found."""
        # Searches of earlier versions have no id of their own; they are known by their parent run.
        facts = self.ledger.facts()
        return str(facts.get("id") or facts.get("run_id"))

    @property
    def space(self) -> Space:
        """The search space."""
        return self.ledger.space

    @property
    def checkpoints(self) -> Path:
        """The folder of running trials' checkpoints."""
        return self.folder / CHECKPOINTS

    def results(self) -> Results:
        """Return a snapshot of what the search has found so far."""
        facts = self.ledger.facts()
        return Results(self.folder, self.space, facts, self.ledger.records(), driven(self.folder))

    def trials(self) -> list[TrialRecord]:
        """Return the trials of :meth:`results`."""
        return self.results().trials

    def front(self) -> list[TrialRecord]:
        """Return the front of :meth:`results`."""
        return self.results().front

    def best_tradeoff(self) -> TrialRecord:
        """Return the front's trial of the largest product of gains (:func:`tuning.pareto.best_tradeoff`).

        Raises:
            UserError: If no trial is complete.
        """
        return self.results().best_tradeoff

    def dataframe(self) -> "pd.DataFrame":
        """Return one row for each trial: status, settings, metrics; see :mod:`tuning.results.dataframe`."""
        return dataframe(self.results())

    def forget_encoders(self, *, over: bool = False) -> None:
        """Delete the kept encoders of trials that can be neither on the front nor confirmed any more.

        The paper's settings keep theirs. Confirmations keep theirs until the front is known; those of the
        front and of the paper's settings stay, so that other judges can compare them.

        Args:
            over: Whether all confirmations have ended; then those of other trials are deleted too.
        """
        found = self.folder.glob(f"{KEPT}/*/{CHECKPOINT}")
        files = {int(file.parent.name): file for file in found if file.parent.name.isdecimal()}
        kept = [trial for trial in map(self.ledger.ended, files) if trial and trial.status == "complete"]
        results, confirm = self.results(), self.space.search.confirm
        rivals = [trial for trial in results.complete if confirm is None or not trial.paper]
        names, directions = zip(*self.space.objectives.items(), strict=True)
        reached = {trial.number: [trial.metrics[name] for name in names] for trial in [*kept, *rivals]}
        values = [reached[trial.number] for trial in rivals]
        # Trials that dominate another one precede it, whatever trials follow.
        places = 1 if confirm is None else confirm.top
        unneeded = [
            trial
            for trial in kept
            if trial.confirms is None
            and not trial.paper
            and dominators(reached[trial.number], values, directions) >= places
        ]
        if over:
            compared = {trial.number for trial, _ in results.compared}
            unneeded += [run for run in kept if run.confirms is not None and run.confirms not in compared]
        for trial in unneeded:
            files[trial.number].unlink(missing_ok=True)

    def left_checkpoints(self) -> list[Path]:
        """Return the checkpoints, whole or not, of ended trials; a process that dies leaves such files."""
        running = {trial.number for trial in self.ledger.records() if trial.status == "running"}
        # A half-written checkpoint is named .NUMBER.pt.*.tmp.
        stems = {path: path.name.lstrip(".").split(".", 1)[0] for path in sorted(self.checkpoints.glob("*"))}
        return [path for path, stem in stems.items() if not stem.isdecimal() or int(stem) not in running]

    def forget_checkpoints(self) -> None:
        """Delete the checkpoints of trials that have ended."""
        for path in self.left_checkpoints():
            path.unlink(missing_ok=True)
