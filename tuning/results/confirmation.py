"""What is left of a front when its members are trained again with other seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction, FloatArray, non_dominated

RESAMPLES = 1000


@dataclass(frozen=True)
class Confirmed:
    """A trial whose settings were trained again with other seeds.

    The seed that the search saw takes no part: the trial was chosen for its figures, which therefore flatter.

    Attributes:
        trial: The trial of the search.
        seeds: Number of other seeds.
        mean: Mean of each validation figure over them.
        spread: Their standard deviation.
        share: Share of bootstrap resamples of the seeds in which it is on the front of the confirmed trials.
    """

    trial: TrialRecord
    seeds: int
    mean: dict[str, float]
    spread: dict[str, float]
    share: float


def confirmed_trials(
    trained: Sequence[tuple[TrialRecord, Sequence[TrialRecord]]], objectives: Mapping[str, Direction]
) -> list[Confirmed]:
    """Sum up the confirmations.

    Args:
        trained: Each trial with its complete confirmations, two at least.
        objectives: Name and direction of every objective.
    """
    values = [np.array([[run.figures[name] for name in objectives] for run in runs]) for _, runs in trained]
    shares = front_shares(values, list(objectives.values()))
    return [
        Confirmed(
            trial=trial,
            seeds=len(runs),
            mean=means([run.figures for run in runs]),
            spread=deviations([run.figures for run in runs]),
            share=float(share),
        )
        for (trial, runs), share in zip(trained, shares, strict=True)
    ]


def front_shares(values: Sequence[FloatArray], directions: Sequence[Direction], seed: int = 0) -> FloatArray:
    """How often each of several configs is on the front of their means, if the seeds had fallen otherwise.

    Args:
        values: For each config the objectives ``(seeds, m)`` of its trainings.
        directions: What is better, one an objective.
        seed: Seed of the bootstrap.

    Returns:
        For each config the share of resamples, drawn with replacement from its trainings, in which it is on
        the front.
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(values))
    for _ in range(RESAMPLES if values else 0):
        means = [runs[rng.integers(len(runs), size=len(runs))].mean(axis=0) for runs in values]
        counts += non_dominated(means, directions)
    return counts / RESAMPLES


def means(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Take the mean of every figure that all of some trainings have, one at least."""
    return {name: float(np.mean(values)) for name, values in _shared(runs).items()}


def deviations(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Take the standard deviation of every figure that all of some trainings have, two at least."""
    return {name: float(np.std(values, ddof=1)) for name, values in _shared(runs).items()}


def _shared(runs: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: [run[name] for run in runs] for name in names}
