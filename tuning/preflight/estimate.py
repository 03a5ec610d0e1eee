"""How long a search takes, reckoned from the time of a step and of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one training costs.

    Attributes:
        step: Seconds of a step.
        steps: Steps in an epoch.
        evaluation: Seconds of an evaluation.
        epochs: Epochs of a whole training.
        evaluate_every: Epochs between two evaluations; the last epoch is always evaluated.
    """

    step: float
    steps: int
    evaluation: float
    epochs: int
    evaluate_every: int

    @property
    def evaluated(self) -> list[int]:
        """The epochs after which it is evaluated."""
        return [*range(self.evaluate_every, self.epochs, self.evaluate_every), self.epochs]

    def seconds(self, epochs: int) -> float:
        """Seconds of its first epochs."""
        evaluations = sum(epoch <= epochs for epoch in self.evaluated)
        return epochs * self.steps * self.step + evaluations * self.evaluation


def ends(
    training: Training, brackets: Sequence[Sequence[float]] = ((),), factor: float = 1
) -> dict[int, float]:
    """The share of trials that end after each epoch, if one in ``factor`` goes on wherever trials are judged.

    A factor of infinity stops every trial where it is first judged, a factor of 1 none. Real searches lie on
    the slow side of their own factor: the first trials at a rung meet few others and mostly go on.

    Args:
        training: One trial, if it is not stopped.
        brackets: Epochs of the rungs of each bracket, see :class:`tuning.driver.scheduler.ParetoASHA`.
        factor: Of so many trials one goes on.
    """
    weights = np.exp([float(len(rungs)) for rungs in brackets])
    shares: dict[int, float] = {}
    for rungs, share in zip(brackets, (weights / weights.sum()).tolist(), strict=True):
        for epoch in judged(training, rungs):
            shares[epoch] = shares.get(epoch, 0.0) + share * (1 - 1 / factor)
            share /= factor
        shares[training.epochs] = shares.get(training.epochs, 0.0) + share
    return shares


def judged(training: Training, rungs: Sequence[float]) -> list[int]:
    """The epochs at which a trial is judged: where it is evaluated and has a rung behind it not yet used."""
    left, epochs = sorted(rungs), []
    for epoch in training.evaluated[:-1]:
        reached = [rung for rung in left if rung <= epoch]
        if reached:
            left.remove(reached[-1])
            epochs.append(epoch)
    return epochs


def search_seconds(
    training: Training,
    ends: Mapping[int, float],
    *,
    trials: int,
    at_once: int,
    never_stopped: int = 0,
    epoch_budget: int | None = None,
    time_budget: float | None = None,
) -> float:
    """Seconds of a whole search.

    Args:
        training: One trial, if it is not stopped.
        ends: The share of trials that end after each epoch.
        trials: How many trials there are.
        at_once: How many run at a time.
        never_stopped: How many of them train to the end whatever happens, as the baseline does.
        epoch_budget: Epochs that all trials together may train.
        time_budget: Seconds after which running trials are stopped, all but those that never are.
    """
    whole = training.seconds(training.epochs)
    if epoch_budget is not None:
        mean_epochs = sum(epoch * share for epoch, share in ends.items())
        spared = never_stopped * (training.epochs - mean_epochs)
        trials = min(trials, int(max(0, epoch_budget - training.epochs - spared) / mean_epochs) + 1)
    mean = sum(training.seconds(epoch) * share for epoch, share in ends.items())
    mean += (whole - mean) * min(1, never_stopped / trials)
    seconds = min(math.ceil(trials / at_once) * mean, time_budget or math.inf)
    return max(seconds, whole) if never_stopped else seconds
