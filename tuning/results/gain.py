"""What a search gains over the paper's settings, objective by objective."""

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
    """What the front gains over the paper's settings in one objective.

    Attributes:
        objective: Its name.
        direction: What is better.
        paper: What the paper's settings reach.
        best: What the front's best trial in it reaches.
        trial: That trial's number.
        knee: What the front's best trade-off reaches.
    """

    objective: str
    direction: Direction
    paper: float
    best: float
    trial: int
    knee: float

    @property
    def change(self) -> float:
        """From the paper's settings to the best; above 0 is better if the objective is maximised."""
        return self.best - self.paper

    def cells(self) -> tuple[str, ...]:
        """One row of a table of text."""
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
    """The gain in each objective; none where the paper's settings have no figures."""
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
    """Which trials of the front beat the paper's settings in every objective, as a sentence."""
    paper = _paper(search)
    if paper is None:
        return _no_gain(search)
    beaten = ", ".join(f"{trial.number:03d}" for trial in search.all_better(search.front(), paper))
    return f"Better than the paper's settings in every objective at once: {beaten or 'none'}."


def gain_csv(search: Search) -> str:
    """The gains as CSV, one objective a row."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["objective", "direction", "paper", "best", "best_trial", "change", "knee"])
    for gain in gains(search):
        figures = (gain.paper, gain.best, gain.trial, gain.change, gain.knee)
        writer.writerow([gain.objective, gain.direction, *figures])
    return table.getvalue()


def _paper(search: Search) -> TrialRecord | None:
    """The trial with the paper's settings, if it has figures to compare with."""
    paper = search.paper()
    return paper if paper is not None and paper.status == "complete" else None


def _no_gain(search: Search) -> str:
    """Why the search cannot be compared with the paper's settings, as a sentence."""
    paper = search.paper()
    if paper is None:
        return "No trial has the paper's settings, so there is no gain to tell."
    how = {
        "running": "is not complete",
        "pruned": "was stopped early",
        "infeasible": "is infeasible",
        "failed": "failed",
    }.get(paper.status, paper.status)
    because = f": {paper.reason.rstrip('.')}" if paper.reason else ""
    return (
        f"There is no gain over the paper's settings to tell, as their trial {paper.number:03d} {how} after "
        f"{paper.epoch} of {search.space.config(paper.values).epochs} epochs{because}."
    )
