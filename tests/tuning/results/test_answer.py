"""The answer of a search, on made-up trainings with known differences."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuning.report.searches import TWO, made
from tuning.report.tables import reasons_table
from tuning.report.terminal import print_status
from tuning.results.answer import answer, answer_metrics, answer_text
from tuning.results.search import Search
from tuning.space.settings import Confirm

PAPER, BEST = range(2)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return made(tmp_path / "s", [[0.5, 0.5], [0.75, 0.75]])


def confirm(
    search: Search,
    number: int,
    rows: Sequence[Sequence[float]],
    *,
    first_seed: int = 1,
    width: float = 0.0,
    test: bool = False,
) -> None:
    """Train a trial again, once for each row of objectives, with intervals of a width."""
    for seed, row in enumerate(rows, start=first_seed):
        begun = search.ledger.confirm(number, seed)
        metrics = dict(zip(TWO, row, strict=True))
        limits = {name: (value - width / 2, value + width / 2) for name, value in metrics.items()}
        search.ledger.note_epoch(begun.number, 2, training={}, metrics=metrics, intervals=limits)
        search.ledger.end(begun.number, full_budget=True)
        if test:
            lower = {name: value - 0.1 for name, value in metrics.items()}
            search.ledger.note_test(begun.number, lower, limits)


def test_a_clear_gain_is_named_with_its_seeds_and_images(search: Search) -> None:
    confirm(search, PAPER, [[0.5, 0.5], [0.52, 0.51], [0.51, 0.5]])
    confirm(search, BEST, [[0.7, 0.69], [0.72, 0.71], [0.7, 0.7]])
    found = answer(search.results())
    assert found is not None
    assert (found.trial, found.split, found.comparison.seeds) == (BEST, "validation", 3)
    assert found.comparison.difference == pytest.approx([0.59 / 3] * 2)
    assert [found.verdict(i) for i in (0, 1)] == ["better", "better"]
    said = answer_text(search.results())
    assert "Trial 001, the best trade-off, is better in invariance and informativeness" in said
    assert "(3 seeds each, validation images)" in said


def test_gain_loss_and_noise_are_told_apart(search: Search) -> None:
    confirm(search, PAPER, [[0.5, 0.70], [0.5, 0.71], [0.5, 0.70], [0.5, 0.7]])
    confirm(search, BEST, [[0.9, 0.60], [0.95, 0.61], [0.92, 0.60], [0.9, 0.6]])
    assert "is better in invariance, worse in informativeness" in answer_text(search.results())
    metrics = answer_metrics(search.results())
    assert metrics["gain_probability/invariance"] > 0.99
    assert metrics["gain_probability/informativeness"] < 0.01
    assert metrics["gain_probability/all"] < 0.01
    assert metrics["gain_low/invariance"] < metrics["gain/invariance"] < metrics["gain_high/invariance"]


def test_noise_of_the_images_widens_the_interval(search: Search) -> None:
    confirm(search, PAPER, [[0.50, 0.5], [0.50, 0.51], [0.5, 0.5]], width=0.3)
    confirm(search, BEST, [[0.55, 0.6], [0.56, 0.61], [0.55, 0.6]], width=0.3)
    found = answer(search.results())
    assert found is not None
    # One training's interval is 0.3 wide; a difference of two has 0.3 * sqrt(2).
    assert found.comparison.high[0] - found.comparison.low[0] == pytest.approx(0.3 * 2**0.5, rel=0.05)
    assert "within the noise in invariance and informativeness" in answer_text(search.results())


def test_only_seeds_of_both_are_paired(search: Search) -> None:
    confirm(search, PAPER, [[0.5, 0.5], [0.1, 0.1]], first_seed=1)
    confirm(search, BEST, [[0.7, 0.7], [0.8, 0.8]], first_seed=2)
    assert answer(search.results()) is None
    confirm(search, PAPER, [[0.6, 0.6]], first_seed=3)
    found = answer(search.results())
    assert found is not None
    assert found.comparison.difference == pytest.approx([(0.6 + 0.2) / 2] * 2)


def test_test_images_answer_once_all_are_measured(search: Search) -> None:
    confirm(search, PAPER, [[0.5, 0.5], [0.52, 0.51]], test=True)
    confirm(search, BEST, [[0.7, 0.69]], test=True)
    confirm(search, BEST, [[0.72, 0.71]], first_seed=2)
    found = answer(search.results())
    assert found is not None
    assert found.split == "validation"
    run = max(search.ledger.records(), key=lambda trial: trial.number).number
    search.ledger.note_test(run, {"invariance": 0.9, "informativeness": 0.9}, {"invariance": (0.8, 1.0)})
    for seen in (search, Search.open(search.name, search.folder.parent)):
        found = answer(seen.results())
        assert found is not None
        assert found.split == "test"
        assert found.comparison.difference[0] == pytest.approx((0.2 + 0.48) / 2)


def with_confirmations(search: Search, seeds: int) -> None:
    """Ask for confirmations of the best trade-off and the paper's settings."""
    how = search.space.search.model_copy(update={"confirm": Confirm(top=1, seeds=seeds)})
    search.ledger.space = search.space.model_copy(update={"search": how})


def test_an_interrupted_confirmation_is_not_an_answer(search: Search) -> None:
    with_confirmations(search, 2)
    confirm(search, BEST, [[0.7, 0.7], [0.8, 0.8]])
    confirm(search, PAPER, [[0.5, 0.5]])
    said = answer_text(search.results())
    assert said.endswith("Not known yet: 1 training with other seeds is left.")
    confirm(search, PAPER, [[0.5, 0.6]], first_seed=2)
    assert answer(search.results()) is not None


@pytest.mark.parametrize("collapsed", [PAPER, BEST])
def test_a_confirmation_that_collapsed_is_named_and_takes_no_part(search: Search, collapsed: int) -> None:
    with_confirmations(search, 3)
    for number in (PAPER, BEST):
        confirm(search, number, [[0.5 + 0.2 * number, 0.55], [0.51 + 0.2 * number, 0.55]])
        begun = search.ledger.confirm(number, 3)
        search.ledger.note_epoch(begun.number, 2, training={}, metrics=dict.fromkeys(TWO, 0.5))
        reason = "effective rank 1.0" if number == collapsed else None
        search.ledger.end(begun.number, full_budget=True, infeasible=reason)
    found = answer(search.results())
    assert found is not None
    assert found.comparison.seeds == 2
    said = answer_text(search.results())
    assert f"Left out: trial {collapsed:03d} with seed 3 is infeasible: effective rank 1.0. Settings" in said
    printed = io.StringIO()
    print_status(search.results(), Console(file=printed, width=120))
    assert f"trial {collapsed:03d} with seed 3 infeasible: effective rank 1.0" in printed.getvalue()
    table = reasons_table(search.results())
    assert table is not None
    assert table.rows == [(f"{collapsed:03d}, seed 3", "infeasible", "effective rank 1.0")]


def test_confirmations_without_a_result_give_the_reason_in_place_of_an_answer(search: Search) -> None:
    with_confirmations(search, 2)
    confirm(search, BEST, [[0.7, 0.7], [0.8, 0.8]])
    for seed in (1, 2):
        begun = search.ledger.confirm(PAPER, seed)
        search.ledger.end(begun.number, full_budget=False, failure="the worker died.")
    said = answer_text(search.results())
    assert (
        "share no confirmation seed. Left out: trial 000 with seed 1 failed: the worker died; trial" in said
    )
    assert "Set search.confirm" not in said


def test_without_confirmations_nothing_is_claimed(search: Search) -> None:
    assert answer(search.results()) is None
    assert answer_metrics(search.results()) == {}
    said = answer_text(search.results())
    assert "Not known: trial 001" in said
    assert "Set search.confirm" in said


def test_the_papers_settings_may_be_the_best_themselves(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.75, 0.75], [0.5, 0.5]])
    assert answer(search.results()) is None
    assert answer_text(search.results()).endswith("they are themselves the best trade-off that was found.")
    confirm(search, PAPER, [[0.75, 0.75], [0.76, 0.75]], test=True)
    confirm(search, BEST, [[0.85, 0.5], [0.86, 0.501]])
    assert answer_text(search.results()).endswith(
        "that was found. The best other one, trial 001, is better in invariance, worse in informativeness "
        "(2 seeds each, validation images)."
    )
    assert answer_metrics(search.results()) == {}
