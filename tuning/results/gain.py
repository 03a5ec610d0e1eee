"""Gain of a search over the paper's settings, objective by objective."""

from dataclasses import dataclass

from tuning.pareto import Direction
from tuning.results.results import Results


@dataclass(frozen=True)
class Gain:
    """Gain of the front over the paper's settings in one objective, by its best trial and trade-off."""

    objective: str
    direction: Direction
    paper: float
    best: float
    trial: int
    best_tradeoff: float

    @property
    def change(self) -> float:
        """Change from the paper's settings to the best trial; above 0 is better if maximised."""
        return self.best - self.paper


def gains(results: Results) -> list[Gain]:
    """Return the gain in each objective; empty if the paper's settings have no metrics."""
    if results.baseline is None:
        return []
    paper = results.objectives(results.baseline)
    tradeoff = results.objectives(results.best_tradeoff)
    found = []
    for name, direction in results.space.objectives.items():
        best = results.best(name)
        reached = results.objectives(best)[name]
        found.append(Gain(name, direction, paper[name], reached, best.number, tradeoff[name]))
    return found
