"""The results of a search, read from its ledger: trials, front, confirmations, best trade-off."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.config.seeds import MAX_SEED
from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from tuning.ledger.ledger import Ledger
from tuning.ledger.lock import driven
from tuning.ledger.storage import LEDGER, names
from tuning.ledger.trials import CHECKPOINTS, KEPT, Outcome, TrialRecord
from tuning.pareto import Direction, best_tradeoff, contributions, fronts, non_dominated
from tuning.results.confirmation import Confirmed, confirmed_trials
from tuning.results.export import export
from tuning.space import Space

CONFIGS = "configs"
ANALYSIS = "analysis"
"""Folder of an analysis's files, in the search's folder and among the artifacts of its MLflow run."""
FEWEST_TRIALS = 8
"""Fewest complete trials for an analysis."""


@dataclass(frozen=True, repr=False)
class Search:
    """A search as its ledger holds it, during the search or afterwards.

    Attributes:
        folder: The search's folder.
        ledger: The search's record.
    """

    folder: Path
    ledger: Ledger

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
        if not (folder / LEDGER).is_file():
            known = ", ".join(names(storage)) or "none"
            raise UserError(f"no search named {name!r} in {storage}; there are: {known}")
        return cls(folder, Ledger.open(folder / LEDGER))

    def __repr__(self) -> str:
        trials = self.trials()
        complete = [trial for trial in trials if trial.status == "complete"]
        best = "no front yet"
        if complete:
            chosen = self.knee()
            figures = ", ".join(f"{name} {value:.3f}" for name, value in self.objectives(chosen).items())
            best = f"best trade-off {chosen.number:03d} ({figures})"
        of = f"Search {self.name!r} of {self.space.base.dataset}"
        return f"<{of}: {len(trials)} trials, {len(complete)} complete, {best}>"

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

    @property
    def driven(self) -> bool:
        """True while a process works on the search."""
        return driven(self.folder)

    def trials(self) -> list[TrialRecord]:
        """Return the trials of the search that were begun, by number."""
        return [
            trial
            for trial in self.ledger.records()
            if trial.status != "interrupted" and trial.confirms is None
        ]

    def ended(self) -> list[tuple[TrialRecord, Outcome]]:
        """Return all trials that were trained and have ended, confirmations included, with their outcomes."""
        return [
            (trial, trial.status)
            for trial in self.ledger.records()
            if trial.status != "running" and trial.status != "interrupted" and trial.status != "reused"
        ]

    def front(self) -> list[TrialRecord]:
        """Return the non-dominated trials, best in the first objective first.

        They are chosen among the trials of full budget by their metrics. Once trials have been confirmed,
        they are chosen among the confirmed trials by the means of the confirmations.
        """
        complete = self._competing()
        if not complete:
            return []
        chosen = non_dominated(self.values(complete), self._directions)
        front = [trial for trial, keep in zip(complete, chosen, strict=True) if keep]
        first = self.values(front)[:, 0] * (-1 if self._directions[0] == "maximize" else 1)
        return [front[i] for i in np.argsort(first, kind="stable")]

    def ranks(self) -> dict[int, int]:
        """Return the non-domination rank of every complete trial, by number: 1 is the front, 2 the next..."""
        complete = self._competing()
        if not complete:
            return {}
        ranks = fronts(self.values(complete), self._directions)
        return {trial.number: int(rank) + 1 for trial, rank in zip(complete, ranks, strict=True)}

    def candidates(self, top: int) -> list[TrialRecord]:
        """Return the trials to confirm: the best by the search's metrics, and the paper's settings."""
        complete = [trial for trial in self.trials() if trial.status == "complete"]
        if not complete:
            return []
        values = [[trial.figures[name] for name in self.space.objectives] for trial in complete]
        front = fronts(values, self._directions)
        added = contributions(values, self.space.reference, self._directions)
        # By front first, then by contribution to the hypervolume: `lexsort` takes its last key first.
        best = [complete[i] for i in np.lexsort([-added, front])[:top]]
        return best + [trial for trial in complete if trial.paper and trial not in best]

    def unconfirmed(self) -> list[tuple[int, int]]:
        """Return the trials and seeds that ``search.confirm`` still asks for."""
        confirm, first = self.space.search.confirm, self.space.base.seed + 1
        if confirm is None:
            return []
        done = {(run.confirms, run.seed) for run, _ in self.ended()}
        wanted = [
            (trial.number, seed)
            for trial in self.candidates(confirm.top)
            for seed in (i % (MAX_SEED + 1) for i in range(first, first + confirm.seeds))
        ]
        return [one for one in wanted if one not in done]

    def confirmed(self) -> list[Confirmed]:
        """Return the trials with at least two complete confirmations, by number."""
        runs = self._confirmations()
        trained = [(trial, runs[trial.number]) for trial in self.trials() if trial.number in runs]
        return confirmed_trials(trained, self.space.objectives)

    def trainings(self, trial: TrialRecord) -> list[TrialRecord]:
        """Return the trainings that measure a trial's settings: its confirmations, or else itself."""
        return self._confirmations().get(trial.number, [trial])

    def objectives(self, trial: TrialRecord) -> dict[str, float]:
        """Return a trial's objectives: the means of its confirmations, or else its own."""
        return self.all_objectives([trial])[0]

    def all_objectives(self, trials: list[TrialRecord]) -> list[dict[str, float]]:
        """Return the objectives of some trials; see :meth:`objectives`."""
        names = list(self.space.objectives)
        return [dict(zip(names, row, strict=True)) for row in self.values(trials).tolist()]

    def knee(self) -> TrialRecord:
        """Return the front's best trade-off, which users call the knee.

        See :func:`tuning.pareto.best_tradeoff`.

        Raises:
            UserError: If no trial is complete.
        """
        front = self.require_front()
        space = self.space
        return front[best_tradeoff(self.values(front), space.reference, self._directions, space.preference)]

    def best(self, objective: str) -> TrialRecord:
        """Return the front's best trial in one objective.

        Raises:
            UserError: If there is no such objective, or no trial is complete.
        """
        if objective not in self.space.objectives:
            raise UserError(f"{objective!r} is no objective; there are: {', '.join(self.space.objectives)}")
        front = self.require_front()
        column = self.values(front)[:, list(self.space.objectives).index(objective)]
        best = column.argmax() if self.space.objectives[objective] == "maximize" else column.argmin()
        return front[int(best)]

    def better(self, one: TrialRecord, other: TrialRecord) -> bool:
        """Return whether a trial is better than another in every objective."""
        return bool(self.all_better([one], other))

    def all_better(self, trials: list[TrialRecord], other: TrialRecord) -> list[TrialRecord]:
        """Return the trials that are better than another trial in every objective."""
        signs = np.array([1 if direction == "maximize" else -1 for direction in self._directions])
        *rows, level = self.values([*trials, other])
        return [trial for trial, row in zip(trials, rows, strict=True) if ((row - level) * signs > 0).all()]

    def paper(self) -> TrialRecord | None:
        """Return the trial with the paper's settings, if it has been begun."""
        return next((trial for trial in self.trials() if trial.paper), None)

    def compared(self) -> list[tuple[TrialRecord, bool]]:
        """Return the front, followed by the paper's settings if they are complete but dominated.

        Returns:
            Each trial with whether it is on the front.
        """
        front, paper = self.front(), self.paper()
        rows = [(trial, True) for trial in front]
        if front and paper in self._competing() and paper not in front:
            rows.append((paper, False))
        return rows

    def forget_encoders(self, *, over: bool = False) -> None:
        """Delete the kept encoders of dominated trials, except the paper's settings and trials to confirm.

        Confirmations keep their encoders until the front is known.

        Args:
            over: Whether all confirmations have ended; then those of trials off the front are deleted too.
        """
        files = {int(file.parent.name): file for file in self.folder.glob(f"{KEPT}/*/{CHECKPOINT}")}
        ended = [trial for trial in map(self.ledger.ended, files) if trial and trial.status == "complete"]
        searched = [trial for trial in ended if trial.confirms is None]
        confirm = self.space.search.confirm
        # A trial that is dominated by the search's metrics may be on the front of the confirmed ones.
        needed = {trial.number for trial in self.candidates(confirm.top)} if confirm else set[int]()
        if searched:
            values = [[trial.figures[name] for name in self.space.objectives] for trial in searched]
            best = non_dominated(values, self._directions)
            needed |= {trial.number for trial, keep in zip(searched, best, strict=True) if keep}
        unneeded = [trial for trial in searched if trial.number not in needed and not trial.paper]
        if over:
            front = {trial.number for trial in self.front()}
            unneeded += [run for run in ended if run.confirms is not None and run.confirms not in front]
        for trial in unneeded:
            files[trial.number].unlink()

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

    def export(self, which: str, out: str | Path) -> list[Path]:
        """Write the configs of chosen trials; see :func:`tuning.results.export.export`.

        Args:
            which: ``knee`` (the best trade-off), ``best:OBJECTIVE`` or ``all-front``.
            out: Folder to write to; existing files of the same names are replaced.

        Returns:
            The files written, ``<search>-<trial>.yaml``.

        Raises:
            UserError: If nothing can be chosen.
        """
        return export(self, which, Path(out))

    def config_file(self, trial: TrialRecord) -> str:
        """Return the file name of a trial's exported config."""
        return f"{self.name}-{trial.number:03d}.yaml"

    def require_front(self) -> list[TrialRecord]:
        """Return the front.

        Raises:
            UserError: If no trial is complete.
        """
        front = self.front()
        if not front:
            raise UserError(f"search {self.name!r} has no complete trial yet, so there is no front")
        return front

    def values(self, trials: list[TrialRecord]) -> npt.NDArray[np.float64]:
        """Return the ``(n, m)`` objectives of trials: means of confirmations, or else their own."""
        names, runs = list(self.space.objectives), self._confirmations()
        rows = [
            np.mean(
                [[run.figures[name] for name in names] for run in runs.get(trial.number, [trial])], axis=0
            )
            for trial in trials
        ]
        return np.array(rows)

    def _competing(self) -> list[TrialRecord]:
        """Return the trials among which the front is chosen."""
        runs = self._confirmations()
        complete = [trial for trial in self.trials() if trial.status == "complete"]
        return [trial for trial in complete if trial.number in runs] or complete

    def _confirmations(self) -> dict[int, list[TrialRecord]]:
        """Return the complete confirmations of every trial with at least two of them."""
        runs: dict[int, list[TrialRecord]] = {}
        for run, status in self.ended():
            if run.confirms is not None and status == "complete":
                runs.setdefault(run.confirms, []).append(run)
        return {number: repeated for number, repeated in runs.items() if len(repeated) > 1}

    @property
    def _directions(self) -> list[Direction]:
        return list(self.space.objectives.values())
