"""Confirmation of a front by trainings of its members with other seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction, FloatArray, non_dominated

RESAMPLES = 1000


@dataclass(frozen=True)
class Confirmed:
    """A trial whose settings were trained again with other seeds.

    The search's own seed takes no part: the trial was chosen for the metrics of that seed, so these are too
    optimistic.

    Attributes:
        trial: The trial of the search.
        seeds: Number of other seeds.
        mean: Mean of each validation metric over the seeds.
        spread: Standard deviation of each validation metric over the seeds.
        share: Share of bootstrap resamples of the seeds in which the trial is on the front of the confirmed
            trials.
    """

    trial: TrialRecord
    seeds: int
    mean: dict[str, float]
    spread: dict[str, float]
    share: float


def confirmed_trials(
    trained: Sequence[tuple[TrialRecord, Sequence[TrialRecord]]], objectives: Mapping[str, Direction]
) -> list[Confirmed]:
    """Summarise the complete confirmations of trials, two at least for each."""
    values = [np.array([[run.metrics[name] for name in objectives] for run in runs]) for _, runs in trained]
    shares = front_shares(values, list(objectives.values()))
    return [
        Confirmed(
            trial=trial,
            seeds=len(runs),
            mean=means([run.metrics for run in runs]),
            spread=deviations([run.metrics for run in runs]),
            share=float(share),
        )
        for (trial, runs), share in zip(trained, shares, strict=True)
    ]


def front_shares(values: Sequence[FloatArray], directions: Sequence[Direction], seed: int = 0) -> FloatArray:
    """Estimate by a bootstrap over seeds how often each config is on the front of the configs' means.

    Args:
        values: For each config the objectives ``(seeds, m)`` of its trainings.
        directions: Direction of each objective.
        seed: Seed of the bootstrap.

    Returns:
        For each config the share of resamples with the config on the front. A resample draws from each
        config's trainings with replacement.
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(values))
    for _ in range(RESAMPLES if values else 0):
        means = [runs[rng.integers(len(runs), size=len(runs))].mean(axis=0) for runs in values]
        counts += non_dominated(means, directions)
    return counts / RESAMPLES


def means(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of every metric that all trainings have; there is at least one training."""
    return {name: float(np.mean(values)) for name, values in _shared(runs).items()}


def deviations(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the standard deviation of every metric that all trainings have; there are at least two."""
    return {name: float(np.std(values, ddof=1)) for name, values in _shared(runs).items()}


def _shared(runs: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: [run[name] for run in runs] for name in names}
