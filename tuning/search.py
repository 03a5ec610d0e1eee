"""A search, seen from its ledger: trials, front, gain over the paper's settings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcodr.errors import UserError
from tuning.ledger import Ledger, TrialRecord
from tuning.outcome import Outcome
from tuning.pareto import Direction, knee, non_dominated
from tuning.space import Space

LEDGER = "ledger.log"
CONFIGS = "configs"


@dataclass(frozen=True)
class Search:
    """A search as its ledger holds it, while it runs or after.

    Attributes:
        folder: The search's folder.
        ledger: Its record.
    """

    folder: Path
    ledger: Ledger

    @classmethod
    def open(cls, name: str, storage: Path) -> "Search":
        """Open a search by name, changing nothing.

        Args:
            name: The search's name.
            storage: The folder that holds all searches.

        Raises:
            UserError: If there is none of that name.
        """
        folder = storage / name
        if not (folder / LEDGER).is_file():
            known = ", ".join(names(storage)) or "none"
            raise UserError(f"no search named {name!r} in {storage}; there are: {known}")
        return cls(folder, Ledger.open(folder / LEDGER))

    @property
    def name(self) -> str:
        """The search's name."""
        return self.folder.name

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.ledger.space

    def trials(self) -> list[TrialRecord]:
        """All trials that were begun, by number; of those begun anew only the new ones."""
        return [trial for trial in self.ledger.records() if trial.status != "interrupted"]

    def ended(self) -> list[tuple[TrialRecord, Outcome]]:
        """The trials that are over, with how they ended."""
        return [
            (trial, trial.status)
            for trial in self.ledger.records()
            if trial.status != "running" and trial.status != "interrupted"
        ]

    def front(self) -> list[TrialRecord]:
        """The non-dominated among the trials of full budget, best in the first objective first."""
        complete = [trial for trial in self.trials() if trial.status == "complete"]
        if not complete:
            return []
        chosen = non_dominated(self.values(complete), self._directions)
        front = [trial for trial, keep in zip(complete, chosen, strict=True) if keep]
        first, direction = next(iter(self.space.objectives.items()))
        return sorted(front, key=lambda trial: trial.figures[first], reverse=direction == "maximize")

    def knee(self) -> TrialRecord:
        """The front's best compromise; see :func:`tuning.pareto.knee`.

        Raises:
            UserError: If no trial is complete.
        """
        front = self.require_front()
        return front[knee(self.values(front), self._directions)]

    def best(self, objective: str) -> TrialRecord:
        """The front's best trial in one objective.

        Raises:
            UserError: If there is no such objective, or no trial is complete.
        """
        if objective not in self.space.objectives:
            raise UserError(f"{objective!r} is no objective; there are: {', '.join(self.space.objectives)}")
        choose = max if self.space.objectives[objective] == "maximize" else min
        return choose(self.require_front(), key=lambda trial: trial.figures[objective])

    def better(self, one: TrialRecord, other: TrialRecord) -> bool:
        """Whether a trial is better than another in every objective."""
        return all(
            one.figures[name] > other.figures[name]
            if direction == "maximize"
            else one.figures[name] < other.figures[name]
            for name, direction in self.space.objectives.items()
        )

    def paper(self) -> TrialRecord | None:
        """The trial with the paper's settings, if it has been begun."""
        return next((trial for trial in self.trials() if trial.paper), None)

    def compared(self) -> list[tuple[TrialRecord, bool]]:
        """The front, and behind it the paper's settings if they are complete but dominated.

        Returns:
            Each trial with whether it is on the front.
        """
        front, paper = self.front(), self.paper()
        rows = [(trial, True) for trial in front]
        if front and paper is not None and paper.status == "complete" and paper not in front:
            rows.append((paper, False))
        return rows

    def config_file(self, trial: TrialRecord) -> str:
        """The name of the file that a trial's config is exported to."""
        return f"{self.name}-{trial.number:03d}.yaml"

    def require_front(self) -> list[TrialRecord]:
        """The front.

        Raises:
            UserError: If no trial is complete.
        """
        front = self.front()
        if not front:
            raise UserError(f"search {self.name!r} has no complete trial yet, so there is no front")
        return front

    def values(self, trials: list[TrialRecord]) -> npt.NDArray[np.float64]:
        """``(n, m)`` objectives of some trials."""
        return np.array([[trial.figures[name] for name in self.space.objectives] for trial in trials])

    @property
    def _directions(self) -> list[Direction]:
        return list(self.space.objectives.values())


def names(storage: Path) -> list[str]:
    """Names of the searches in a folder."""
    return sorted(path.parent.name for path in storage.glob(f"*/{LEDGER}"))
