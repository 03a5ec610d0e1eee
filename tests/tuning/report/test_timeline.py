"""The timeline of trials: as many rows as ran at the same time, and no overlap in a row."""

import itertools
from datetime import datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.report.searches import made, spread
from tuning.ledger.lock import driving
from tuning.report.timeline import lanes, timeline_chart

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=40)


@given(SPANS)
def test_rows_hold_no_overlap_and_are_as_few_as_can_be(drawn: list[tuple[int, int]]) -> None:
    spans = [(float(begin), float(begin + length)) for begin, length in sorted(drawn)]
    rows = lanes(spans)
    for row in {*rows}:
        inside = [span for span, place in zip(spans, rows, strict=True) if place == row]
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(inside))
    most = max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)
    assert len({*rows}) == most
    assert {*rows} == {*range(most)}


def test_bars_are_the_trials_from_begin_to_end(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(3))
    chart = timeline_chart(search.results())
    assert chart is not None
    (bars,) = chart.data
    trials = search.trials()
    assert bars["customdata"] == [trial.number for trial in trials]
    begins = [datetime.fromtimestamp(trial.began).isoformat(timespec="seconds") for trial in trials]
    assert bars["base"] == begins


def test_a_confirmation_stands_for_the_trial_that_it_confirms(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(2))
    search.ledger.confirm(1, seed=5)
    with driving(search.folder):
        chart = timeline_chart(search.results())
    assert chart is not None
    running = next(trace for trace in chart.data if trace["name"] == "running")
    assert running["customdata"] == [1]
    left = timeline_chart(search.results())
    assert left is not None
    assert "cut off" in {trace["name"] for trace in left.data}
    assert "confirms trial 001 with seed 5" in running["text"][0]
