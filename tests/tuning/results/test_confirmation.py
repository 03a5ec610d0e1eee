"""Confirmation of a front with other seeds: against numpy, and against all possible resamples."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.ledger.trials import EpochRecord, TrialRecord
from tuning.pareto import Direction
from tuning.results.confirmation import confirmed_trials, front_shares

BOTH: dict[str, Direction] = {"invariance": "maximize", "error": "minimize"}
DIRECTIONS = list(BOTH.values())
METRICS = ("invariance", "error", "domain_accuracy")


def record(number: int, metrics: dict[str, float]) -> TrialRecord:
    facts: dict[str, Any] = dict.fromkeys(("origin", "confirms", "repeats", "reason", "gpus"))
    epochs = {4: EpochRecord(0.0, {}, metrics, {})}
    facts |= {"epochs": epochs, "seconds": 1.0, "seed": number}
    return TrialRecord(number=number, status="complete", values={}, **facts)


def test_means_and_deviations_are_those_of_the_other_seeds_alone() -> None:
    drawn = np.random.default_rng(0).random((3, 3))
    runs = [record(i + 1, dict(zip(METRICS, row.tolist(), strict=True))) for i, row in enumerate(drawn)]
    flattered = record(0, dict.fromkeys(METRICS, 9.0))
    (confirmed,) = confirmed_trials([(flattered, runs)], BOTH)
    assert confirmed.trial == flattered
    assert confirmed.seeds == 3
    for found, expected in [
        (confirmed.mean, drawn.mean(axis=0)),
        (confirmed.spread, drawn.std(axis=0, ddof=1)),
    ]:
        assert list(found) == list(METRICS)
        assert list(found.values()) == pytest.approx(expected)
    assert confirmed.share == 1


def test_a_figure_that_some_run_lacks_is_left_out() -> None:
    metrics = {"invariance": 0.5, "error": 0.2}
    runs = [record(1, metrics | {"extra": 1.0}), record(2, metrics)]
    (confirmed,) = confirmed_trials([(record(0, metrics), runs)], BOTH)
    assert confirmed.mean == metrics
    assert list(confirmed.spread) == list(metrics)


def test_nothing_confirmed_is_nothing() -> None:
    assert confirmed_trials([], BOTH) == []


def exact_shares(values: list[np.ndarray[Any, np.dtype[np.float64]]]) -> list[float]:
    """Over all equally likely resamples of all configs."""
    draws = [list(itertools.product(range(len(runs)), repeat=len(runs))) for runs in values]
    on_front: list[list[bool]] = []
    for picked in itertools.product(*draws):
        means = [runs[list(pick)].mean(axis=0) * [1, -1] for runs, pick in zip(values, picked, strict=True)]
        on_front.append([not any((b >= a).all() and (b > a).any() for b in means) for a in means])
    return [float(share) for share in np.mean(on_front, axis=0)]


grid = st.integers(0, 4).map(lambda i: i / 4)
runs_of_two = st.lists(st.tuples(grid, grid), min_size=2, max_size=2).map(np.array)


@settings(max_examples=15)
@given(values=st.lists(runs_of_two, min_size=2, max_size=2))
def test_shares_are_those_of_all_resamples(values: list[np.ndarray[Any, np.dtype[np.float64]]]) -> None:
    found = front_shares(values, DIRECTIONS)
    assert found == pytest.approx(exact_shares(values), abs=0.08)  # five deviations of 1000 resamples


def test_a_config_that_is_better_with_every_seed_is_alone_on_the_front() -> None:
    better, worse = np.array([[0.8, 0.2], [0.9, 0.1]]), np.array([[0.6, 0.3], [0.7, 0.4]])
    assert front_shares([better, worse], DIRECTIONS).tolist() == [1, 0]


def test_shares_depend_on_nothing_but_figures_and_seed() -> None:
    values = list(np.random.default_rng(1).random((3, 4, 2)))
    assert (front_shares(values, DIRECTIONS) == front_shares(values, DIRECTIONS)).all()
    assert (front_shares(values, DIRECTIONS, seed=1) != front_shares(values, DIRECTIONS, seed=2)).any()
