"""The arithmetic of a search's time, against numbers reckoned by hand and the scheduler itself."""

import math

import pytest

from tuning.driver.scheduler import ParetoASHA
from tuning.preflight.estimate import Training, ends, judged, search_seconds


def training(epochs: int = 9, evaluate_every: int = 1) -> Training:
    return Training(step=0.5, steps=10, evaluation=2, epochs=epochs, evaluate_every=evaluate_every)


def test_a_training_is_its_steps_and_evaluations() -> None:
    one = training(epochs=5, evaluate_every=2)
    assert one.evaluated == [2, 4, 5]
    assert one.seconds(1) == 5
    assert one.seconds(3) == 3 * 5 + 2
    assert one.seconds(5) == 5 * 5 + 3 * 2


def test_the_last_epoch_is_evaluated_once() -> None:
    assert training(epochs=4, evaluate_every=2).evaluated == [2, 4]
    assert training(epochs=4, evaluate_every=9).evaluated == [4]


def test_without_rungs_every_trial_is_whole() -> None:
    assert ends(training()) == {9: 1}


def test_one_in_three_goes_on_at_each_rung() -> None:
    assert ends(training(), [[9, 3, 1]], 3) == pytest.approx({1: 2 / 3, 3: 2 / 9, 9: 1 / 9})


def test_the_extremes_are_the_first_rung_and_the_last_epoch() -> None:
    stopped, whole = ends(training(), [[9, 3, 1]], math.inf), ends(training(), [[9, 3, 1]], 1)
    assert {epoch: share for epoch, share in stopped.items() if share} == {1: 1}
    assert {epoch: share for epoch, share in whole.items() if share} == {9: 1}


def test_brackets_weigh_as_the_scheduler_draws_them() -> None:
    first = math.e / (1 + math.e)  # exp(3) : exp(2)
    expected = {
        1: first * 2 / 3,
        3: first * 2 / 9 + (1 - first) * 2 / 3,
        9: first / 9 + (1 - first) / 3,
    }
    assert ends(training(), [[9, 3, 1], [9, 3]], 3) == pytest.approx(expected)


@pytest.mark.parametrize("evaluate_every", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("grace_period", [1, 2, 4])
@pytest.mark.parametrize("reduction_factor", [1.5, 2, 3, 4])
def test_a_trial_is_judged_where_the_scheduler_fills_a_rung(
    evaluate_every: int, grace_period: int, reduction_factor: float
) -> None:
    scheduler = ParetoASHA(
        objectives={"invariance": "maximize"},
        max_epochs=30,
        grace_period=grace_period,
        reduction_factor=reduction_factor,
    )
    (rungs,) = scheduler.rungs
    one, filled = training(epochs=30, evaluate_every=evaluate_every), []
    for epoch in one.evaluated[:-1]:
        before = scheduler.rungs
        scheduler.replay(0, {epoch: {"invariance": 0.5}}, ended=False)
        if scheduler.rungs != before:
            filled.append(epoch)
    assert judged(one, list(rungs)) == filled


def test_trials_run_in_rounds() -> None:
    whole = 9 * 5 + 9 * 2  # 63 s
    assert search_seconds(training(), {9: 1}, trials=10, at_once=1) == 10 * whole
    assert search_seconds(training(), {9: 1}, trials=10, at_once=4) == 3 * whole


def test_stopped_trials_take_as_long_as_they_ran() -> None:
    mean = 2 / 3 * 7 + 1 / 3 * 63
    assert search_seconds(training(), {1: 2 / 3, 9: 1 / 3}, trials=6, at_once=2) == pytest.approx(3 * mean)


def test_a_baseline_is_whole_and_a_search_lasts_as_long_as_it() -> None:
    stopped = {1: 1.0}  # of 7 s
    assert search_seconds(training(), stopped, trials=10, at_once=1, never_stopped=1) == pytest.approx(126)
    assert search_seconds(training(), stopped, trials=10, at_once=10, never_stopped=1) == 63
    assert search_seconds(training(), stopped, trials=10, at_once=1, never_stopped=1, time_budget=20) == 63
    assert search_seconds(training(), stopped, trials=10, at_once=1, never_stopped=1, time_budget=80) == 80
    # 9 epochs of the baseline, 18 of others, and 9 that the last one may need
    assert search_seconds(
        training(), stopped, trials=50, at_once=1, never_stopped=1, epoch_budget=36
    ) == pytest.approx(19 * 7 + 63)


def test_budgets_end_a_search() -> None:
    assert search_seconds(training(), {9: 1}, trials=10, at_once=1, epoch_budget=35) == 3 * 63
    assert search_seconds(training(), {9: 1}, trials=10, at_once=1, epoch_budget=36) == 4 * 63
    assert search_seconds(training(), {1: 1}, trials=50, at_once=1, epoch_budget=36) == 28 * 7
    assert search_seconds(training(), {9: 1}, trials=10, at_once=1, time_budget=100) == 100
