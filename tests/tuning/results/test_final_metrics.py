"""The test images are for the best trade-off and the paper's settings alone."""

from pathlib import Path

import pytest

from tests.tuning.report.searches import confirm, made
from tuning.report.tables import finals_table
from tuning.results.final_metrics import final_metrics, to_measure
from tuning.results.search import Search

PAPER, BEST, CONFIRMED = range(3)
METRICS = [[0.5, 0.5], [0.75, 0.75], [0.625, 0.625]]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return made(tmp_path / "s", METRICS)


def numbers(search: Search) -> list[tuple[int, list[int]]]:
    return [(trial.number, [run.number for run in runs]) for _, trial, runs in to_measure(search.results())]


def test_without_confirmations_the_trials_themselves_are_measured(search: Search) -> None:
    assert numbers(search) == [(BEST, [BEST]), (PAPER, [PAPER])]


def test_of_confirmed_trials_the_confirmations_of_two_are_measured(search: Search) -> None:
    confirm(search, BEST, [(0.25, 0.25), (0.25, 0.25)])
    best = confirm(search, CONFIRMED, [(0.75, 0.75), (0.75, 0.75)])
    paper = confirm(search, PAPER, [(0.5, 0.5), (0.5, 0.5)])
    assert numbers(search) == [(CONFIRMED, best), (PAPER, paper)]


def test_the_papers_settings_are_measured_once_where_they_are_the_best(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.75, 0.75], [0.5, 0.5]])
    assert numbers(search) == [(0, [0])]
    assert numbers(made(tmp_path / "without", [[0.75, 0.75], [0.5, 0.5]], paper=False)) == [(0, [0])]


def test_without_a_front_nothing_is_measured(tmp_path: Path) -> None:
    assert to_measure(made(tmp_path / "s", []).results()) == []


def test_what_was_measured_is_summed_up_and_outlives_the_process(search: Search) -> None:
    assert final_metrics(search.results()) == []
    best = confirm(search, BEST, [(0.75, 0.75), (0.75, 0.75)])
    confirm(search, PAPER, [(0.5, 0.5), (0.5, 0.5)])
    for run, value in zip(best, (0.5, 0.75), strict=True):
        search.ledger.note_test(run, {"invariance": value})
    for seen in (search, Search.open(search.name, search.folder.parent)):
        (final,) = final_metrics(seen.results())
        assert (final.trial.number, final.trainings) == (BEST, 2)
        assert final.mean == {"invariance": 0.625}
        assert final.deviation == {"invariance": pytest.approx(0.25 / 2**0.5)}
        table = finals_table(seen.results())
        assert table is not None
        assert table.rows == [("best trade-off", "001", "2", "0.625 ± 0.177", "-")]
        assert [trial.number for trial in seen.ledger.records() if trial.test] == best
