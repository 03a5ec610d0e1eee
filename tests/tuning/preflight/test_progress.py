"""The forecast of a search's progress."""

import re
from pathlib import Path

import pytest

from tuning.preflight.progress import RECORDED, forecast


@pytest.mark.parametrize(("at_once", "known"), [(1, 1), (2, 1), (3, 8), (8, 8), (22, 8), (23, 64), (500, 64)])
def test_a_search_is_compared_with_the_nearest_number_of_trials_at_a_time(at_once: int, known: int) -> None:
    text = forecast(at_once, 5.4)
    assert text.startswith("as many epochs as 5 whole trainings. ")
    assert re.search(rf"with {known} trials? at a time", text)
    for share, cost in RECORDED[known].items():
        assert f"{share} " in text
        assert f"after {cost}" in text


def test_the_docs_have_the_same_numbers() -> None:
    page = (Path(__file__).parents[3] / "docs" / "search-efficiency.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| whole trainings, ours |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert cells == [" / ".join(map(str, RECORDED[n].values())) for n in (1, 8, 64)]
