"""Results from a ledger: candidates, confirmations, and the front before and after them."""

import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from rich.console import Console

from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from tests.tuning.report.searches import made
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import Begun, FirstTrial, kept_of
from tuning.report.commands import commands
from tuning.report.front_chart import front_chart
from tuning.report.terminal import print_status, status_facts
from tuning.results.export import pick
from tuning.results.gain import gains
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space
from tuning.tracking.encoders import chosen

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 3, evaluate_every: 1}}
params:
  temperature: {type: float, low: 0.05, high: 0.5}
search: {trials: 6, startup_trials: 2, confirm: {top: 2, seeds: 2}}
"""

PAPER, CORNER, LUCKY, MIDDLE, WORST, STOPPED = range(6)
METRICS = [(0.4, 0.4), (0.9, 0.1), (0.7, 0.7), (0.6, 0.6), (0.1, 0.1), (1.0, 1.0)]
"""Invariance and informativeness of each trial; the last one was stopped early."""


@pytest.fixture
def search(tmp_path: Path) -> Search:
    (tmp_path / "s.yaml").write_text(SPACE)
    space = load_space(tmp_path / "s.yaml")
    first = [FirstTrial(space.paper_values(), "paper")]
    ledger = Ledger.create(None, space, {}, first)
    ledger.ready(SpaceSampler)
    search = Search(tmp_path / "s", ledger)
    for number, metrics in enumerate(METRICS):
        train(search, metrics, full_budget=number != STOPPED)
    return search


def train(search: Search, metrics: tuple[float, float], full_budget: bool = True) -> None:
    begun = Queue(search.ledger).begin()
    assert begun is not None
    finish(search, begun, metrics, full_budget)


def finish(search: Search, begun: Begun, metrics: tuple[float, float], full_budget: bool = True) -> None:
    named = dict(zip(search.space.objectives, metrics, strict=True))
    search.ledger.note_epoch(begun.number, 3, training={}, metrics=named, intervals={})
    search.ledger.end(begun.number, full_budget=full_budget)


def confirm(search: Search, number: int, *runs: tuple[float, float]) -> None:
    for seed, metrics in enumerate(runs, start=1):
        finish(search, search.ledger.confirm(number, seed), metrics)


def test_the_encoder_of_a_trial_that_confirmations_bring_to_the_front_is_kept(search: Search) -> None:
    confirmed = search.space.search.confirm
    assert confirmed is not None
    settings = search.space.search.model_copy(update={"confirm": confirmed.model_copy(update={"top": 3})})
    search.ledger.space = search.space.model_copy(update={"search": settings})
    kept = {n: kept_of(search.folder, n) / CHECKPOINT for n in (PAPER, CORNER, LUCKY, MIDDLE, WORST)}
    for path in kept.values():
        path.parent.mkdir(parents=True)
        path.touch()
    search.forget_encoders()
    assert [n for n, path in kept.items() if path.is_file()] == [PAPER, CORNER, LUCKY, MIDDLE]
    for number, means in {
        LUCKY: (0.2, 0.2),
        CORNER: (0.1, 0.1),
        MIDDLE: (0.6, 0.6),
        PAPER: (0.4, 0.4),
    }.items():
        confirm(search, number, means, means)
    confirmations = [run for run in search.ledger.records() if run.confirms is not None]
    for run in confirmations:
        path = kept_of(search.folder, run.number) / CHECKPOINT
        path.parent.mkdir(parents=True)
        path.touch()
    search.forget_encoders(over=True)
    assert [trial.number for trial in search.front()] == [MIDDLE]
    assert kept[MIDDLE].is_file()
    left = {
        run.confirms for run in confirmations if (kept_of(search.folder, run.number) / CHECKPOINT).is_file()
    }
    assert left == {MIDDLE, PAPER}


@settings(max_examples=40)
@given(data=st.data(), top=st.integers(1, 4))
def test_every_trial_that_may_be_confirmed_keeps_its_encoder(data: st.DataObject, top: int) -> None:
    space = load_space(
        "quick", search={"confirm": {"top": top, "seeds": 2}, "trials": 20, "sampler": "random"}
    )
    ledger = Ledger.create(None, space, {}, [FirstTrial(space.paper_values(), "paper")])
    ledger.ready(SpaceSampler)
    with tempfile.TemporaryDirectory() as folder:
        search = Search(Path(folder), ledger)
        values = st.tuples(st.integers(1, 9), st.integers(1, 9))
        for reached in data.draw(st.lists(values, min_size=1, max_size=20)):
            train(search, (reached[0] / 10, reached[1] / 10))
            path = kept_of(search.folder, search.trials()[-1].number) / CHECKPOINT
            path.parent.mkdir(parents=True)
            path.touch()
            search.forget_encoders()
        for trial in search.results().candidates(top):
            assert (kept_of(search.folder, trial.number) / CHECKPOINT).is_file()


def test_confirmations_count_once_all_have_ended(search: Search) -> None:
    front = [trial.number for trial in search.front()]
    numbers = [trial.number for trial in search.results().candidates(2)]
    for number in numbers:
        assert [trial.number for trial in search.front()] == front
        confirm(search, number, (0.3, 0.3), (0.3, 0.3))
    results = search.results()
    assert sorted(trial.number for trial in results.front) == sorted(numbers)
    assert results.hypervolume == pytest.approx(0.09)
    # The search's own seeds led to (0.7, 0.7) and (0.9, 0.1).
    assert results.growth[-1][1] == pytest.approx(0.7 * 0.7 + 0.2 * 0.1)


def test_repeats_and_confirmations_do_not_count_as_begun(search: Search) -> None:
    confirm(search, PAPER, (0.3, 0.3))
    assert search.results().begun == len(METRICS)


@pytest.mark.parametrize("clock", [0, 2**33], ids=["set back", "set forward"])
def test_checkpoints_of_ended_trials_go_and_those_of_running_ones_stay(search: Search, clock: int) -> None:
    """A process that is killed between a trial's end and the removal of its checkpoints leaves them.

    Their times mean nothing, for the clock may have been set since.
    """
    begun = search.ledger.confirm(PAPER, seed=7)
    number = f"{begun.number:03d}"
    running = {f"{number}.pt", f"{number}.before.pt", f".{number}.pt.1f.tmp"}
    search.checkpoints.mkdir(parents=True)
    for name in {"000.pt", "003.before.pt", ".004.pt.0c.tmp", "1000.pt", "odd"} | running:
        (search.checkpoints / name).touch()
        os.utime(search.checkpoints / name, (clock, clock))
    assert len(search.left_checkpoints()) == 5
    search.forget_checkpoints()
    assert {path.name for path in search.checkpoints.iterdir()} == running


def test_the_best_tradeoff_is_confirmed_first_and_the_paper_besides(search: Search) -> None:
    train(search, (0.99, 0.45))  # adds 0.13, but its product of 0.45 is below that of (0.7, 0.7)
    train(search, (0.71, 0.69))  # has nearly the product of (0.7, 0.7), and each adds little beside the other
    numbers = [trial.number for trial in search.results().candidates(9)]
    assert numbers == [LUCKY, 6, 7, MIDDLE, CORNER, WORST, PAPER]


def test_settings_are_confirmed_that_lose_to_the_papers_as_there_are_no_others(search: Search) -> None:
    space = search.space
    ledger = Ledger.create(None, space, {}, [FirstTrial(space.paper_values(), "paper")])
    ledger.ready(SpaceSampler)
    beaten = Search(search.folder, ledger)
    train(beaten, (0.8, 0.8))
    assert [trial.number for trial in beaten.results().candidates(1)] == [0]
    train(beaten, (0.5, 0.6))
    train(beaten, (0.6, 0.7))
    assert [trial.number for trial in beaten.results().candidates(1)] == [2, 0]


def test_candidates_add_the_most_hypervolume_and_the_paper_is_among_them(search: Search) -> None:
    # (0.9, 0.1) adds 0.02 to the front's 0.51, (0.7, 0.7) adds 0.42
    assert [trial.number for trial in search.results().candidates(1)] == [LUCKY, PAPER]
    assert [trial.number for trial in search.results().candidates(2)] == [LUCKY, CORNER, PAPER]
    assert [trial.number for trial in search.results().candidates(3)][:2] == [LUCKY, CORNER]
    assert [trial.number for trial in search.results().candidates(9)] == [LUCKY, CORNER, MIDDLE, WORST, PAPER]


def test_a_member_of_the_front_that_beats_the_paper_in_everything_is_confirmed_first(search: Search) -> None:
    train(search, (0.45, 0.75))  # adds 0.02
    train(search, (0.05, 0.99))  # worse than the paper's 0.4 in invariance; adds 0.01
    train(search, (0.95, 0.39))  # adds 0.10, but is worse than the paper's 0.4 in informativeness
    numbers = [trial.number for trial in search.results().candidates(4)]
    assert numbers == [LUCKY, 6, 8, 7, PAPER]


def test_what_is_unconfirmed_gets_less_until_nothing_is(search: Search) -> None:
    wanted = [(number, seed) for number in (LUCKY, CORNER, PAPER) for seed in (1, 2)]
    assert search.results().unconfirmed == wanted
    confirm(search, LUCKY, (0.5, 0.5), (0.5, 0.5))
    assert search.results().unconfirmed == wanted[2:]
    failed = search.ledger.confirm(CORNER, 1)
    search.ledger.end(failed.number, full_budget=False, failure="loss is nan")
    assert search.results().unconfirmed == wanted[3:]
    for number, seed in search.results().unconfirmed:
        finish(search, search.ledger.confirm(number, seed), (0.3, 0.3))
    assert search.results().unconfirmed == []
    assert [row.trial.number for row in search.results().confirmed] == [PAPER, LUCKY]


def test_a_confirmed_front_is_that_of_the_means(search: Search) -> None:
    assert [trial.number for trial in search.front()] == [CORNER, LUCKY]
    confirm(search, LUCKY, (0.2, 0.6), (0.4, 0.2))
    confirm(search, CORNER, (0.8, 0.2), (0.6, 0.4))
    confirm(search, PAPER, (0.5, 0.5), (0.3, 0.5))
    assert [trial.number for trial in search.front()] == [CORNER, PAPER]
    paper, corner, lucky = search.results().confirmed
    assert np.allclose(list(lucky.mean.values()), (0.3, 0.4))
    assert corner.mean == pytest.approx(search.results().objectives(search.trials()[CORNER]))
    assert paper.seeds == 2
    assert search.results().best("invariance").number == CORNER


def test_one_confirmation_alone_changes_nothing(search: Search) -> None:
    confirm(search, LUCKY, (0.0, 0.0))
    assert [trial.number for trial in search.front()] == [CORNER, LUCKY]
    assert search.results().confirmed == []


def test_confirmations_are_no_trials_of_the_search(search: Search) -> None:
    confirm(search, LUCKY, (0.5, 0.5), (0.5, 0.5))
    assert [trial.number for trial in search.trials()] == list(range(6))
    assert [trial.confirms for trial, _ in search.results().ended][6:] == [LUCKY, LUCKY]
    assert Queue(search.ledger).budget.trials == 6


def test_a_search_and_its_ledger_say_what_they_are(search: Search) -> None:
    best = search.best_tradeoff().number
    invariance, informativeness = METRICS[best]
    assert repr(search) == (
        f"<Search 's' of synthetic: 6 trials, 5 complete, best trade-off {best:03d} (invariance "
        f"{invariance:.3f}, informativeness {informativeness:.3f})>"
    )
    assert repr(search.ledger) == "<Ledger of space 's' and synthetic: 6 trials>"


def test_one_trial_is_one_trial(tmp_path: Path) -> None:
    search = made(tmp_path / "one", [[0.9, 0.8]])
    assert "synthetic: 1 trial, 1 complete, best" in repr(search)
    assert repr(search.ledger).endswith(": 1 trial>")


def test_a_search_without_a_complete_trial_says_so(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)
    ledger = Ledger.create(None, load_space(tmp_path / "s.yaml"), {})
    ledger.ready(SpaceSampler)
    assert (
        repr(Search(tmp_path / "t", ledger))
        == "<Search 't' of synthetic: 0 trials, 0 complete, no front yet>"
    )


def test_the_best_tradeoff_is_one_trial_in_all_places(tmp_path: Path) -> None:
    """The front of a real search on Cars3D, on which the paper's settings were not the starred ones."""
    search = made(tmp_path / "cars", [[0.964, 0.806], [0.982, 0.675], [1.0, 0.011]])
    assert [trial.number for trial in search.front()] == [2, 1, 0]
    assert search.best_tradeoff().number == 0
    assert pick(search.results(), "knee") == [search.best_tradeoff()]
    assert chosen(search.results())["knee"].number == 0
    assert [row["trial"] for row in status_facts(search.results())["compared"] if row["knee"]] == [0]
    assert [gain.best_tradeoff for gain in gains(search.results())] == [0.964, 0.806]
    chart = front_chart(search.results())
    assert chart is not None
    star = next(trace for trace in chart.data if trace.get("name") == "best trade-off")
    assert (star["x"], star["y"]) == ([0.964], [0.806])
    assert "cars-000.yaml" in dict(commands(search.results()))["Train the best trade-off"]
    said = io.StringIO()
    print_status(search.results(), Console(file=said, width=120))
    assert re.findall(r"(?m)^(\d{3}) ★", said.getvalue()) == ["000"]


@pytest.mark.parametrize(("aim", "best"), [("front", 2), ("baseline", 3)])
def test_aimed_at_the_baseline_the_best_tradeoff_is_better_in_every_objective(
    tmp_path: Path, aim: str, best: int
) -> None:
    (tmp_path / "s.yaml").write_text(SPACE.replace("search: {", f"search: {{aim: {aim}, "))
    space = load_space(tmp_path / "s.yaml")
    ledger = Ledger.create(None, space, {}, [FirstTrial(space.paper_values(), "paper")])
    ledger.ready(SpaceSampler)
    search = Search(tmp_path / "s", ledger)
    for metrics in [(0.80, 0.70), (0.82, 0.71), (0.98, 0.65), (0.815, 0.715)]:
        train(search, metrics)
    assert search.best_tradeoff().number == best
    # With other seeds nothing is better than the baseline in both.
    confirm(search, 0, (0.9, 0.75), (0.9, 0.75))
    for number in (1, 2, 3):
        assert search.best_tradeoff().number == best
        confirm(search, number, (0.91, 0.7), (0.91, 0.7))
    assert search.best_tradeoff().number == 0


def test_every_objective_has_an_alias_that_mlflow_allows(tmp_path: Path) -> None:
    objectives = {"invariance": "maximize", "error/land.marks": "minimize", "error/land marks": "minimize"}
    aliases = chosen(made(tmp_path / "s", [[0.5, 20.0, 9.0], [0.25, 10.0, 9.5]], objectives).results())
    assert [trial.number for trial in aliases.values()] == [0, 0, 1, 0]
    assert list(aliases)[:3] == ["knee", "most-invariant", "best-error-land-marks"]
    for alias in aliases:
        assert re.fullmatch(r"[\w-]{1,255}", alias)


@pytest.mark.parametrize("others", [(), ("runs",)])
def test_a_name_is_refused_where_a_folder_belongs(search: Search, others: Any) -> None:
    with pytest.raises(UserError, match=r"Search\.open\('augs'\)"):
        Search("augs", *others)  # type: ignore[arg-type]
    assert Search(folder=search.folder, ledger=search.ledger) == search
