"""Texts and tables of the page."""

from pathlib import Path

from tests.tuning.report.searches import TWO, confirm, made
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.report.facts import overview, state
from tuning.report.tables import confirmed_table, finals_table, front_table, gain_table, reasons_table


def test_the_gain_is_the_best_less_the_papers(tmp_path: Path) -> None:
    objectives = {"informativeness": "maximize", "domain_accuracy": "minimize"}
    search = made(tmp_path / "s", [[0.5, 0.5], [0.75, 0.25], [0.25, 0.125]], objectives)
    table = gain_table(search.results())
    assert table is not None
    assert [row[1:4] for row in table.rows] == [
        ("0.500", "0.750 (trial 001)", "+0.250"),
        ("0.500", "0.125 (trial 002)", "-0.375"),
    ]


def test_a_dominated_paper_is_below_the_front(tmp_path: Path) -> None:
    table = front_table(made(tmp_path / "s", [[0.25, 0.25], [0.5, 0.75], [0.75, 0.5]]).results())
    assert [row[1:3] for row in table.rows] == [("0.750", "0.500"), ("0.500", "0.750"), ("0.250", "0.250")]
    assert table.rows[2][0] == "000\npaper\noff-front"
    assert sum("★" in row[0] for row in table.rows) == 1
    assert list(table.header) == ["trial", *TWO, "augmentations", "temperature"]


def test_trials_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5], [0.5, 0.25]])
    for reason in ("the code is constant", None):
        begun = Queue(search.ledger).begin()
        assert begun is not None
        search.ledger.note_epoch(begun.number, 1, training={}, metrics=dict.fromkeys(TWO, 0.125))
        search.ledger.end(begun.number, full_budget=False, infeasible=reason)
    Queue(search.ledger).begin()
    facts = dict(overview(search.results()))
    assert facts["Trials"] == "5: 2 complete, 1 infeasible, 1 stopped early, 1 cut off"
    assert facts["Ended"] == "not yet: interrupted; continue with --resume"
    assert facts["Dataset"] == "synthetic, fingerprint abc"
    assert facts["Versions"] == "python 3.12"
    assert facts["Training"].startswith("6 epochs")
    reasons = reasons_table(search.results())
    assert reasons is not None
    assert reasons.rows == [("002", "infeasible", "the code is constant")]
    search.ledger.remember("ended", "all 5 trials are done")
    assert dict(overview(search.results()))["Ended"] == "all 5 trials are done"


def test_a_search_that_ended_does_not_run_while_its_process_concludes(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5]])
    assert state(search.results()).kind == "interrupted"
    with driving(search.folder):
        assert state(search.results()).text == "0 trials running"
        search.ledger.remember("ended", "the only trial is done")
        assert state(search.results()).text.endswith(": the only trial is done")
    assert state(search.results()).kind == "ended"


def test_confirmations_have_mean_and_deviation(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5]])
    assert confirmed_table(search.results()) is None
    confirm(search, 0, [(0.25, 0.25), (0.75, 0.75)])
    table = confirmed_table(search.results())
    assert table is not None
    mean = ("0.500 ± 0.354", "0.500 ± 0.354")
    assert list(table.rows) == [("000", "2", *mean, "100%")]
    assert "; 2 confirmations" in dict(overview(search.results()))["Trials"]
    assert finals_table(search.results()) is None
    for run, value in ((1, 0.125), (2, 0.375)):
        search.ledger.note_test(run, dict.fromkeys(TWO, value))
    tested = finals_table(search.results())
    assert tested is not None
    names = "best trade-off, the paper's settings"
    assert list(tested.rows) == [(names, "000", "2", "0.250 ± 0.177", "0.250 ± 0.177")]
