"""Gain of a search over the paper's settings, objective by objective."""

import csv
import io
from dataclasses import dataclass

from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction
from tuning.results.search import Search

HEADER = ("objective", "the paper's settings", "best of the front", "change", "best trade-off")
"""Titles of `Gain.cells`."""


@dataclass(frozen=True)
class Gain:
    """Gain of the front over the paper's settings in one objective.

    Attributes:
        objective: Name of the objective.
        direction: Direction of the objective.
        paper: Value of the paper's settings.
        best: Value of the front's best trial in this objective.
        trial: Number of that trial.
        knee: Value of the front's best trade-off.
    """

    objective: str
    direction: Direction
    paper: float
    best: float
    trial: int
    knee: float

    @property
    def change(self) -> float:
        """Change from the paper's settings to the best trial; above 0 is better if maximised."""
        return self.best - self.paper

    def cells(self) -> tuple[str, ...]:
        """Return one row of a table of text."""
        better = "higher" if self.direction == "maximize" else "lower"
        best = f"{self.best:.3f} (trial {self.trial:03d})"
        return (
            f"{self.objective} ({better} is better)",
            f"{self.paper:.3f}",
            best,
            f"{self.change:+.3f}",
            f"{self.knee:.3f}",
        )


def gains(search: Search) -> list[Gain]:
    """Return the gain in each objective; empty if the paper's settings have no metrics."""
    paper = _paper(search)
    if paper is None:
        return []
    start, knee = search.objectives(paper), search.objectives(search.knee())
    best = {name: search.best(name) for name in search.space.objectives}
    return [
        Gain(name, direction, start[name], search.objectives(best[name])[name], best[name].number, knee[name])
        for name, direction in search.space.objectives.items()
    ]


def better_everywhere(search: Search) -> str:
    """Return a sentence with the trials of the front that beat the paper's settings in every objective."""
    paper = _paper(search)
    if paper is None:
        return _no_gain(search)
    beaten = ", ".join(f"{trial.number:03d}" for trial in search.all_better(search.front(), paper))
    return f"Better than the paper's settings in every objective at once: {beaten or 'none'}."


def gain_csv(search: Search) -> str:
    """Return the gains as CSV, with one row for each objective."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["objective", "direction", "paper", "best", "best_trial", "change", "knee"])
    for gain in gains(search):
        figures = (gain.paper, gain.best, gain.trial, gain.change, gain.knee)
        writer.writerow([gain.objective, gain.direction, *figures])
    return table.getvalue()


def _paper(search: Search) -> TrialRecord | None:
    """Return the trial with the paper's settings, if it is complete."""
    paper = search.paper()
    return paper if paper is not None and paper.status == "complete" else None


def _no_gain(search: Search) -> str:
    """Return a sentence with the reason why the search cannot be compared with the paper's settings."""
    paper = search.paper()
    if paper is None:
        return "No trial has the paper's settings, so there is no gain to report."
    how = {
        "running": "is not complete",
        "pruned": "was stopped early",
        "infeasible": "is infeasible",
        "failed": "failed",
    }.get(paper.status, paper.status)
    because = f": {paper.reason.rstrip('.')}" if paper.reason else ""
    return (
        f"There is no gain over the paper's settings to report, as their trial {paper.number:03d} {how} "
        f"after {paper.epoch} of {search.space.config(paper.values).epochs} epochs{because}."
    )
