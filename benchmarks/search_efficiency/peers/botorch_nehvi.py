"""BoTorch's noisy expected hypervolume improvement, maximised over booleans and numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.utils.sampling import draw_sobol_samples, manual_seed
from gpytorch.mlls import SumMarginalLogLikelihood
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.search_efficiency.repair import repaired
from benchmarks.search_efficiency.simulator import Metrics
from tuning.ledger.encoding import encode, flat
from tuning.space import Space


class NoisyHypervolume:
    """``qLogNoisyExpectedHypervolumeImprovement`` with a ``SingleTaskGP`` for each objective.

    As many trials as ours begins with are Sobol points. Then every proposal fits the processes to the
    complete trials, with the running ones pending. Processes see the trained sets, not the proposed ones, and
    the strength of a member that is not in the set in the middle of its range.

    Args:
        space: The search space; all objectives are maximised.
        seed: Seed of the draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed, self._rng = space, seed, np.random.default_rng(seed)
        self._axes = flat(space.params)
        self._reference = torch.tensor(list(space.reference), dtype=torch.double)
        self._bounds = torch.tensor([[0.0], [1.0]], dtype=torch.double).repeat(1, len(self._axes))
        startup = space.search.startup
        self._first = draw_sobol_samples(self._bounds, n=startup, q=1, seed=seed).squeeze(1)
        self._begun = 0
        self._running: dict[int, torch.Tensor] = {}
        self._complete: list[tuple[torch.Tensor, list[float]]] = []

    def begin(self) -> tuple[Any, Mapping[str, Any]]:
        """Propose a point; it is a Sobol point while there are too few complete trials."""
        trial = self._begun
        self._begun += 1
        if trial < len(self._first):
            row = self._first[trial]
        elif len(self._complete) < 2:
            row = torch.tensor(self._rng.random(len(self._axes)), dtype=torch.double)
        else:
            with manual_seed(self._seed + trial):
                row = self._proposed()
        drawn = {
            name: at(of, place) for (name, of), place in zip(self._axes.items(), row.tolist(), strict=True)
        }
        values = repaired(self._space.params, drawn, self._rng)
        known = encode(self._space.params, values)
        trained = [place_of(of, known[name]) if name in known else 0.5 for name, of in self._axes.items()]
        self._running[trial] = torch.tensor(trained, dtype=torch.double)
        return trial, values

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        """Learn from a whole training."""
        if epoch == self._space.base.epochs:
            self._complete.append((self._running.pop(trial), list(metrics.values())))
        return True

    def end(self, trial: Any, epoch: int) -> None:
        """Do nothing: whole trainings were reported."""

    def _proposed(self) -> torch.Tensor:
        """Return the point of the largest acquisition, ``(axes,)``."""
        x = torch.stack([row for row, _ in self._complete])
        y = torch.tensor([values for _, values in self._complete], dtype=torch.double)
        model = ModelListGP(*(SingleTaskGP(x, y[:, [i]]) for i in range(y.shape[1])))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model,
            self._reference,
            x,
            prune_baseline=True,
            X_pending=torch.stack(list(self._running.values())) if self._running else None,
        )
        discrete = {
            i: [place_of(of, choice) for choice in of.choices]
            for i, of in enumerate(self._axes.values())
            if isinstance(of, CategoricalDistribution)
        }
        best, _ = optimize_acqf_mixed_alternating(acquisition, self._bounds, discrete_dims=discrete)
        return torch.as_tensor(best[0])


def at(distribution: BaseDistribution, place: float) -> Any:
    """Return the value at a place from 0 to 1; choices have equal shares."""
    if isinstance(distribution, CategoricalDistribution):
        n = len(distribution.choices)
        return distribution.choices[min(int(place * n), n - 1)]
    low, high, log = limits(distribution)
    value = low * (high / low) ** place if log else low + place * (high - low)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value


def place_of(distribution: BaseDistribution, value: Any) -> float:
    """Return the place of a value, from 0 to 1; the inverse of :func:`at`."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices.index(value) / (len(distribution.choices) - 1)
    low, high, log = limits(distribution)
    place = np.log(value / low) / np.log(high / low) if log else (value - low) / (high - low)
    return float(place)


def limits(distribution: BaseDistribution) -> tuple[float, float, bool]:
    """Return the bounds of a number, and whether its scale is logarithmic."""
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return distribution.low, distribution.high, distribution.log
