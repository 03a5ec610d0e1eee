"""The sortable table: every trial once, and numbers that sort as numbers."""

from pathlib import Path

from tests.tuning.report.searches import made, spread
from tuning.ledger.queue import Queue
from tuning.report.trials_table import trials_table


def test_every_trial_has_a_row_and_the_best_are_first(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(8))
    begun = Queue(search.ledger).begin()
    assert begun is not None
    search.ledger.end(begun.number, full_budget=False, failure="no such file")
    results = search.results()
    rows = trials_table(results).rows
    assert sorted(row.number for row in rows) == [*range(9)]
    assert [row.number for row in rows if row.front] == [row.number for row in rows[: len(results.front)]]
    assert (rows[0].number, rows[0].cells[0].text.split(",")[0]) == (
        results.best_tradeoff.number,
        "★ best trade-off",
    )
    assert (rows[-1].number, rows[-1].cells[0].text, rows[-1].cells[1].text) == (8, "failed", "-")


def test_cells_sort_by_the_whole_number_not_by_its_text(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.12345, 0.5]])
    table = trials_table(search.results())
    (row,) = table.rows
    cells = dict(zip(table.header, row.cells, strict=True))
    assert (cells["invariance"].text, cells["invariance"].value) == ("0.123", 0.12345)
    assert cells["temperature"].value == search.trials()[0].values["temperature"]
    assert cells["augmentations"].value is None
    assert cells["outcome"].text == "★ best trade-off, the paper's settings"
