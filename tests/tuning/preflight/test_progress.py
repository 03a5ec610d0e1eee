"""The forecast of a search's progress."""

import re
from pathlib import Path

import pytest

from tuning.preflight.progress import RECORDED, Recorded, forecast

EMBEDDED, _ = RECORDED


@pytest.mark.parametrize(("at_once", "known"), [(1, 1), (2, 1), (3, 8), (8, 8), (22, 8), (23, 64), (500, 64)])
def test_a_search_is_compared_with_the_nearest_number_of_trials_at_a_time(at_once: int, known: int) -> None:
    text = forecast(at_once, 4, 5.4)
    assert text.startswith("as many epochs as 5 whole trainings. ")
    assert re.search(rf"with {known} trials? at a time", text)
    for share, cost in EMBEDDED.after[known].items():
        assert f"{share} " in text
        assert f"after {cost}" in text


@pytest.mark.parametrize(
    ("epochs", "name"), [(1, "embedded"), (4, "embedded"), (6, "embedded"), (7, "Cars3D"), (200, "Cars3D")]
)
def test_a_search_is_compared_with_trainings_of_about_the_same_length(epochs: int, name: str) -> None:
    assert f"On recorded trainings of {name}" in forecast(8, epochs, 10).replace("the embedded", "embedded")


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: record.name)
def test_the_docs_have_the_same_numbers(record: Recorded) -> None:
    page = (Path(__file__).parents[3] / "docs" / "search-efficiency.md").read_text(encoding="utf-8")
    start = f"| {record.name.removeprefix('the ')}, {record.epochs} epochs |"
    row = next(line for line in page.splitlines() if line.startswith(start))
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert cells == [" / ".join(map(str, record.after[n].values())) for n in (1, 8, 64)]
