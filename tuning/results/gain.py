"""Gain of a search over the paper's settings, objective by objective."""

from dataclasses import dataclass

from tuning.pareto import Direction
from tuning.results.results import Results


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


def gains(results: Results) -> list[Gain]:
    """Return the gain in each objective; empty if the paper's settings have no metrics."""
    if results.baseline is None:
        return []
    paper, knee = results.objectives(results.baseline), results.objectives(results.knee)
    found = []
    for name, direction in results.space.objectives.items():
        best = results.best(name)
        reached = results.objectives(best)[name]
        found.append(Gain(name, direction, paper[name], reached, best.number, knee[name]))
    return found


def better_everywhere(results: Results) -> str:
    """Return a sentence with the trials of the front that beat the paper's settings in every objective."""
    if results.baseline is None:
        return _no_gain(results)
    better = results.better(results.front, results.baseline)
    beaten = ", ".join(f"{trial.number:03d}" for trial in better)
    return f"Better than the paper's settings in every objective at once: {beaten or 'none'}."


def _no_gain(results: Results) -> str:
    """Return a sentence with the reason why the search cannot be compared with the paper's settings."""
    paper = results.paper
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
        f"after {paper.epoch} of {results.space.config(paper.values).epochs} epochs{because}."
    )
