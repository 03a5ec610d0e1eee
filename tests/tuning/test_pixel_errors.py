"""Errors in pixels as an objective: a search sees them grow smaller, from the constant answer's on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.search_efficiency.simulator import Ours, simulate
from tests.tuning.sampling.spaces import space_of
from tuning.ledger.queue import Queue
from tuning.pareto import hypervolume, improvements
from tuning.results.search import Search
from tuning.sampling import gp_sampler
from tuning.sampling.gaussian_process import FloatArray, GaussianProcess
from tuning.space import Space
from tuning.space.params import FloatParam

MEDIAN = 40.0
"""The error of the constant answer, in pixels."""


@pytest.fixture
def space() -> Space:
    """Two settings, trained for 4 epochs at most, invariance against an error in pixels."""
    searched = FloatParam(type="float", low=0.01, high=1.0)
    made = space_of(
        {"temperature": searched, "reconstruction_weight": searched},
        {"invariance": "maximize", "error/landmarks": "minimize"},
        trials=40,
        startup_trials=6,
        scheduler={"grace_period": 1, "reduction_factor": 2},
        warm_start={"paper": False},
    )
    base = made.base.model_copy(update={"epochs": 4, "evaluate_every": 1})
    return made.model_copy(update={"base": base, "constant_answers": {"error/landmarks": MEDIAN}})


class Faces:
    """The temperature trades invariance for landmarks, the weight decides how well both can be had."""

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> FloatArray:
        """Metrics of 4 epochs, with noise."""
        curve: FloatArray = self.truth([values])[0] + rng.normal(0, [0.01, 0.5], (4, 2))
        return curve

    def truth(self, values: list[Mapping[str, Any]]) -> FloatArray:
        """Errors from 5 to 40 pixels."""
        trade = np.array([one["temperature"] for one in values])[:, None]
        skill = 1 - np.abs(np.array([one["reconstruction_weight"] for one in values])[:, None] - 0.6)
        trained = skill * np.array([0.4, 0.6, 0.8, 1.0])
        return np.stack([trained * (1 - trade**2), 40 - 35 * trained * (1 - (1 - trade) ** 2)], axis=2)


def test_the_hypervolume_grows_and_the_best_tradeoff_is_one(space: Space, tmp_path: Path) -> None:
    ours = Ours(space, seed=0)
    history = simulate(ours, Faces(), space, workers=2, epoch_budget=60, seed=0)
    first, last = (
        hypervolume(of, space.reference, list(space.objectives.values()))
        for of in (history.reached[:1], history.reached)
    )
    assert last > 1.1 * first > 0
    search = Search(tmp_path, ours.ledger)
    volumes = Queue(search.ledger).budget.history
    assert len({*volumes}) > 4
    assert volumes == sorted(volumes)
    assert volumes[-1] > 0.3 * 1.0 * MEDIAN
    best = search.results().objectives(search.best_tradeoff())
    products = {
        trial.number: trial.metrics["invariance"] * (MEDIAN - trial.metrics["error/landmarks"])
        for trial in search.front()
    }
    assert search.best_tradeoff().number == max(products, key=products.__getitem__)
    assert best["invariance"] > 0.4
    assert best["error/landmarks"] < 25


def test_the_sampler_models_errors_as_they_are(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[FloatArray] = []
    compared: list[tuple[FloatArray, list[float]]] = []

    class Process(GaussianProcess):
        def fit(self, x: FloatArray, training: FloatArray, y: FloatArray) -> None:
            learned.append(y)
            super().fit(x, training, y)

    def added(candidates: FloatArray, rows: FloatArray, reference: FloatArray, ways: Any) -> FloatArray:
        compared.append((np.vstack([candidates, rows]), np.asarray(reference).tolist()))
        return improvements(candidates, rows, reference, ways)

    monkeypatch.setattr(gp_sampler, "GaussianProcess", Process)
    monkeypatch.setattr(gp_sampler, "improvements", added)
    simulate(Ours(space, seed=1), Faces(), space, workers=2, epoch_budget=40, seed=1)
    errors = learned[-1]  # the last objective's process
    assert errors.max() > 20
    assert np.unique(errors).size == len(errors)
    drawn, reference = compared[-1]
    assert reference == [0.0, MEDIAN]
    assert (drawn[:, 0] <= 1).all()
    assert (drawn[:, 1] >= 0).all()
    assert drawn[:, 1].max() > 10
    assert np.unique(drawn[:, 1]).size > 100
