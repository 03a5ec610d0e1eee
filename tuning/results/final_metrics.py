"""Final metrics of a search: its best trade-off and the paper's settings, on the test images."""

from dataclasses import dataclass

from tuning.ledger.trials import TrialRecord
from tuning.results.confirmation import deviations, means
from tuning.results.results import Results


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


def to_measure(results: Results) -> list[tuple[str, TrialRecord, list[TrialRecord]]]:
    """Return the trials to measure on the test images, with names and trainings.

    No other trial is measured on the test images, so that nothing is chosen by its test metrics.

    Returns:
        For the best trade-off and then for the paper's settings: a name, the trial, and its complete
        confirmations or else the trial itself. Empty if no trial is complete.
    """
    if not results.front:
        return []
    best, paper = results.best_tradeoff, results.baseline
    if paper == best:
        chosen = [("best trade-off, the paper's settings", best)]
    else:
        chosen = [("best trade-off", best)]
        chosen += [("the paper's settings", paper)] if paper else []
    return [(name, trial, results.trainings(trial)) for name, trial in chosen]


def unmeasured(results: Results) -> list[TrialRecord]:
    """List the trainings of the best trade-off and the paper's settings that have no test metrics yet."""
    return [run for _, _, trainings in to_measure(results) for run in trainings if not run.test]


def final_metrics(results: Results) -> list[Final]:
    """Return mean and deviation of the metrics on the test images."""
    finals = []
    for name, trial, trainings in to_measure(results):
        tested = [run.test for run in trainings if run.test]
        if tested:
            spread = deviations(tested) if len(tested) > 1 else {}
            finals.append(Final(trial, name, len(tested), means(tested), spread))
    return finals
