"""The budget of a search, recomputed from all ended trials, and the reasons to stop."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.ledger.budget import Budget
from tuning.pareto import Direction, hypervolume
from tuning.space.settings import SearchSettings

EPOCHS = 4
DIRECTIONS: list[Direction] = ["maximize", "minimize"]
REFERENCE = [0.0, 1.0]

unhurried = settings(deadline=None)
levels = st.integers(0, 10).map(lambda i: i / 10)
ends = st.tuples(st.integers(0, EPOCHS), st.none() | st.tuples(levels, levels))


def budget(**limits: Any) -> Budget:
    return Budget(SearchSettings.model_validate(limits), EPOCHS, DIRECTIONS, REFERENCE)


def one_after_another(spending: Budget, trials: list[tuple[int, tuple[float, float] | None]]) -> None:
    for epochs, objectives in trials:
        spending.begin()
        spending.end(epochs, objectives)


def volume_of(trials: list[tuple[int, tuple[float, float] | None]]) -> float:
    complete = [objectives for _, objectives in trials if objectives is not None]
    return hypervolume(complete, REFERENCE, DIRECTIONS) if complete else 0.0


@unhurried
@given(trials=st.lists(ends))
def test_what_is_spent_and_reached_is_that_of_all_trials(
    trials: list[tuple[int, tuple[float, float] | None]],
) -> None:
    spending = budget()
    one_after_another(spending, trials)
    assert spending.trials == len(trials)
    assert spending.spent == sum(epochs for epochs, _ in trials)
    assert spending.hypervolume == pytest.approx(volume_of(trials))


@unhurried
@given(trials=st.lists(ends), n=st.integers(1, 5), growth=st.sampled_from([0.013, 0.107, 0.503]))
def test_a_search_has_stalled_if_the_last_trials_added_too_little(
    trials: list[tuple[int, tuple[float, float] | None]], n: int, growth: float
) -> None:
    spending = budget(trials=1000, stall={"trials": n, "growth": growth})
    one_after_another(spending, trials)
    stalled = False
    for end in range(n, len(trials) + 1):
        before, now = volume_of(trials[: end - n]), volume_of(trials[:end])
        stalled = stalled or now == 0 or now < before * (1 + growth)
    assert (spending.over() is not None) == stalled


def test_a_stalled_search_says_so_even_if_running_trials_add_to_the_front() -> None:
    spending = budget(stall={"trials": 2, "growth": 0.1})
    one_after_another(spending, [(4, (0.5, 0.5)), (4, (0.5, 0.5))])
    assert spending.over() is None
    one_after_another(spending, [(2, None)])
    assert spending.over() == "the hypervolume has grown by less than 10.0% in 2 trials"
    one_after_another(spending, [(4, (0.9, 0.9))])
    assert spending.over() == "the hypervolume has grown by less than 10.0% in 2 trials"


@unhurried
@given(data=st.data(), limit=st.integers(1, 60))
def test_epochs_never_exceed_their_budget_and_no_trial_that_fits_is_left_out(
    data: st.DataObject, limit: int
) -> None:
    spending, running = budget(trials=1000, epoch_budget=limit), 0
    while spending.over() is None or running:
        may_begin = spending.over() is None and not spending.waits()
        assert may_begin or running, "a search must not wait for nothing"
        if may_begin and (not running or data.draw(st.booleans())):
            spending.begin()
            running += 1
        else:
            spending.end(data.draw(st.integers(1, EPOCHS)), None)
            running -= 1
        assert spending.spent <= limit
    assert limit - spending.spent < EPOCHS


def test_a_trial_waits_while_running_ones_may_need_all_the_epochs() -> None:
    spending = budget(epoch_budget=9)
    assert not spending.waits()
    spending.begin()
    spending.begin()
    assert spending.over() is None
    assert spending.waits()
    spending.end(1, None)
    assert not spending.waits()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"trials": 2}, "all 2 trials are done"),
        ({"epoch_budget": 11}, "8 of 11 epochs are spent, too many for another trial"),
        ({"target_hypervolume": 0.42}, "the hypervolume 0.4200 has reached 0.42"),
    ],
)
def test_budgets_end_a_search_with_their_reason(limits: dict[str, Any], reason: str) -> None:
    spending = budget(**limits)
    one_after_another(spending, [(4, (0.3, 0.5))])
    assert spending.over() is None
    one_after_another(spending, [(4, (0.6, 0.3))])
    assert spending.hypervolume == pytest.approx(0.6 * 0.7)
    assert spending.over() == reason
