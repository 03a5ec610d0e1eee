"""Final metrics of a search: its best trade-off and the paper's settings, on the test images."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.ledger.trials import TrialRecord
from tuning.results.confirmation import deviations, means
from tuning.results.search import Search

CAPTION = "On the test images, under the paper's probe"


@dataclass(frozen=True)
class Final:
    """The metrics of a trial on the test images.

    Attributes:
        trial: The trial.
        name: The trial's role in the search.
        trainings: Number of trainings of its settings that were measured: its confirmations, or else itself.
        mean: Mean of each metric over the trainings.
        deviation: Standard deviation of each metric over the trainings; empty for one training.
    """

    trial: TrialRecord
    name: str
    trainings: int
    mean: dict[str, float]
    deviation: dict[str, float]

    def cells(self, objectives: Sequence[str]) -> tuple[str, ...]:
        """Return one row of a table of text, with the titles of :func:`header`."""
        return self.name, f"{self.trial.number:03d}", str(self.trainings), *map(self._cell, objectives)

    def _cell(self, name: str) -> str:
        if name not in self.mean:
            return "-"
        deviation = f" ± {self.deviation[name]:.3f}" if name in self.deviation else ""
        return f"{self.mean[name]:.3f}{deviation}"


def header(objectives: Sequence[str]) -> tuple[str, ...]:
    """Return the titles of `Final.cells`."""
    return "settings", "trial", "trainings", *objectives


def to_measure(search: Search) -> list[tuple[str, TrialRecord, list[TrialRecord]]]:
    """Return the trials to measure on the test images, with names and trainings.

    No other trial is measured on the test images, so that nothing is chosen by its test metrics.

    Returns:
        For the best trade-off and then for the paper's settings: a name, the trial, and its complete
        confirmations or else the trial itself. Empty if no trial is complete.
    """
    if not search.front():
        return []
    best, paper = search.knee(), search.paper()
    if paper == best:
        chosen = [("best trade-off, the paper's settings", best)]
    else:
        chosen = [("best trade-off", best)]
        chosen += [("the paper's settings", paper)] if paper and paper.status == "complete" else []
    return [(name, trial, search.trainings(trial)) for name, trial in chosen]


def final_figures(search: Search) -> list[Final]:
    """Return mean and deviation of the metrics on the test images."""
    finals = []
    for name, trial, trainings in to_measure(search):
        tested = [run.test for run in trainings if run.test]
        if tested:
            spread = deviations(tested) if len(tested) > 1 else {}
            finals.append(Final(trial, name, len(tested), means(tested), spread))
    return finals
