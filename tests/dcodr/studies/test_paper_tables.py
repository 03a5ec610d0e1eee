"""The published tables, checked for slips of the pen."""

from typing import get_args

import pytest

from dcodr.config.methods import MethodName
from dcodr.studies.paper_tables import METHODS, PAPER_TABLES, PaperTable

every_table = pytest.mark.parametrize("table", PAPER_TABLES.values(), ids=[*map(str, PAPER_TABLES)])


def number(cell: str) -> float:
    return float(cell.removeprefix("<"))


def test_every_system_has_its_row() -> None:
    assert sorted(METHODS) == sorted(get_args(MethodName))
    assert all(list(table.cells) == list(METHODS) for table in PAPER_TABLES.values())


@every_table
def test_every_cell_is_a_share(table: PaperTable) -> None:
    for cells in [*table.cells.values(), *filter(None, [table.optimal])]:
        assert len(cells) == len(table.columns)
        assert all(0 < number(cell) <= 1 for cell in cells)


@pytest.mark.parametrize("number_of_table", [5, 6, 7])
def test_a_match_in_all_is_a_match_in_each(number_of_table: int) -> None:
    for *each, together in PAPER_TABLES[number_of_table].cells.values():
        assert number(together) <= min(map(number, each))


def test_some_cells() -> None:
    """As they stand in the supplement."""
    cells = {
        number: dict(zip(table.columns, zip(*table.cells.values(), strict=True), strict=True))
        for number, table in PAPER_TABLES.items()
    }
    at = METHODS.index
    assert cells[3]["Elevation"][at("dcodr")] == "0.695"
    assert cells[4]["Domain"][at("lord")] == "0.703"
    assert cells[5]["Azimuth"][at("dcodr_norec")] == "0.56"
    assert cells[6]["All"][at("simclr")] == "<0.01"
    assert cells[7]["Gender"][at("drnet")] == "0.72"
