"""Estimate of the duration of a search, from the time of a step and of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Training:
    """Cost of one training.

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
        """The epochs that end with an evaluation."""
        return [*range(self.evaluate_every, self.epochs, self.evaluate_every), self.epochs]

    def seconds(self, epochs: int) -> float:
        """Return the seconds of the first epochs, evaluations included."""
        evaluations = sum(epoch <= epochs for epoch in self.evaluated)
        return epochs * self.steps * self.step + evaluations * self.evaluation


def ends(
    training: Training, brackets: Sequence[Sequence[float]] = ((),), factor: float = 1
) -> dict[int, float]:
    """Return the share of trials that end after each epoch, if one in ``factor`` continues at every rung.

    A factor of infinity stops every trial at its first rung, a factor of 1 stops none. Real searches are
    slower than their own factor says: the first trials at a rung meet few others and mostly continue.

    Args:
        training: A trial that is not stopped early.
        brackets: Epochs of the rungs of each bracket, see :class:`tuning.driver.scheduler.ParetoASHA`.
        factor: One in this many trials continues.
    """
    # The scheduler draws brackets with Ray's weights, exp(number of rungs).
    weights = np.exp([float(len(rungs)) for rungs in brackets])
    shares: dict[int, float] = {}
    for rungs, share in zip(brackets, (weights / weights.sum()).tolist(), strict=True):
        for epoch in judged(training, rungs):
            shares[epoch] = shares.get(epoch, 0.0) + share * (1 - 1 / factor)
            share /= factor
        shares[training.epochs] = shares.get(training.epochs, 0.0) + share
    return shares


def judged(training: Training, rungs: Sequence[float]) -> list[int]:
    """Return the epochs at which a trial is judged: evaluated epochs at or behind a rung not yet used."""
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
    """Return the seconds of a whole search.

    Args:
        training: A trial that is not stopped early.
        ends: The share of trials that end after each epoch.
        trials: Number of trials.
        at_once: Number of trials at a time.
        never_stopped: Number of trials that always train to the end, as the baseline does.
        epoch_budget: Epochs that all trials together may train.
        time_budget: Seconds after which running trials are stopped, except those that are never stopped.
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
