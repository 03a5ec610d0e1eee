"""The trials as a table of pandas, against the records of the trials."""

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcodr.errors import UserError
from tests.tuning.report.searches import EVIL, confirm, hostile, made, spread
from tuning.ledger.queue import Queue
from tuning.results.search import Search


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Twelve complete trials, one that failed, and trial 3 confirmed twice with worse metrics."""
    search = made(tmp_path_factory.mktemp("search") / "s", spread(12), extra={"accuracy/hue": 0.25})
    begun = Queue(search.ledger).begin()
    assert begun is not None
    search.ledger.end(begun.number, full_budget=False, failure="no memory")
    confirm(search, 3, [(0.1, 0.2), (0.2, 0.2)])
    return search


def test_a_row_has_what_the_trial_has(search: Search) -> None:
    table, results = search.dataframe(), search.results()
    assert table.index.name == "trial"
    assert list(table.index) == [trial.number for trial in results.trials] == list(range(13))
    for trial in results.trials:
        row = table.loc[trial.number]
        assert (row["status"], row["epochs"], row["seed"]) == (trial.status, trial.epoch, trial.seed)
        assert row["seconds"] == trial.seconds
        assert row["began"].timestamp() == pytest.approx(trial.began)
        assert row["temperature"] == trial.values["temperature"]
        assert row["augmentations"].split("+") == list(trial.values["augmentations"])
        if trial.status == "complete" and trial.number != 3:
            assert {name: row[name] for name in trial.metrics} == trial.metrics
    assert (table.loc[0, "origin"], table.loc[12, "reason"]) == ("paper", "no memory")
    assert np.isnan(table.loc[12, "invariance"])
    assert table["confirmations"].tolist() == [0, 0, 0, 2, *[0] * 9]
    assert (table.loc[3, "invariance"], table.loc[3, "accuracy/hue"]) == (pytest.approx(0.15), 0.25)


def test_front_and_best_tradeoff_are_those_of_the_search(search: Search) -> None:
    table = search.dataframe()
    assert set(table.index[table["on_front"]]) == {trial.number for trial in search.front()}
    assert table.index[table["best_tradeoff"]].tolist() == [search.best_tradeoff().number]


def test_metrics_can_be_computed_with(search: Search) -> None:
    table = search.dataframe()
    for name in ("temperature", "invariance", "informativeness", "seconds", "accuracy/hue"):
        assert table[name].dtype == np.float64
    assert isinstance(table["began"].dtype, pd.DatetimeTZDtype)


def test_a_search_without_trials_has_an_empty_table_and_no_best_tradeoff(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [])
    assert len(search.dataframe()) == 0
    with pytest.raises(UserError, match="no complete trial yet"):
        search.best_tradeoff()
    assert "no front yet" in search._repr_html_()


def test_a_search_shows_itself_in_a_notebook(search: Search) -> None:
    shown = search._repr_html_()
    assert str(search.results()) in repr(search)
    assert shown.count("<tr") == 1 + 1 + len(search.results().compared)  # columns, the index's name
    for trial in search.front():
        assert f"<th>{trial.number}</th>" in shown


def test_the_best_tradeoff_and_the_papers_settings_are_marked_in_a_notebook(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(6))
    shown = search._repr_html_()
    marks = {int(number): mark for number, mark in re.findall(r"<th>(\d+)</th>\s*<td>(.*?)</td>", shown)}
    assert [number for number, mark in marks.items() if "★" in mark] == [search.best_tradeoff().number]
    assert [number for number, mark in marks.items() if "paper" in mark] == [0]
    assert [number for number, mark in marks.items() if "off the front" in mark] == [
        trial.number for trial, on_front in search.results().compared if not on_front
    ]
    assert "★: best trade-off; paper: the paper's settings" in html.unescape(shown)


def test_names_that_are_markup_stay_text_in_a_notebook(tmp_path: Path) -> None:
    search = hostile(tmp_path)
    assert "<script" not in search._repr_html_()
    assert "&lt;script&gt;" in search._repr_html_()
    assert f"accuracy/{EVIL}" in search.dataframe()
