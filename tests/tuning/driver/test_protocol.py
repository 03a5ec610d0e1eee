"""The records between driver and worker survive the way through Ray Tune."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.utils import flatten_dict

from tests.tuning.assignments import assignment
from tuning.driver.protocol import Assignment, TrialReport

names = st.lists(st.text("abc_", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)
metrics = st.dictionaries(names, st.floats(allow_nan=False), min_size=1, max_size=4)
reasons = st.none() | st.text(min_size=1)
reports = st.builds(
    TrialReport,
    epoch=st.none() | st.integers(1, 99),
    training=st.none() | metrics,
    metrics=st.none() | metrics,
    intervals=st.none() | st.dictionaries(names, st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1),
    infeasible=reasons,
    failure=reasons,
    out_of_memory=st.booleans(),
    unsaved=reasons,
    streamed=reasons,
)
OF_TUNE = {"done": False, "training_iteration": 3, "hostname": "a", "config": {"number": 1}, "timestamp": 1}


@given(reports)
def test_a_report_is_read_as_it_was_written_nested_and_flattened(report: TrialReport) -> None:
    result = OF_TUNE | report.to_dict()
    assert TrialReport.from_dict(result) == report
    assert TrialReport.from_dict(flatten_dict(result)) == report


def test_an_evaluation_without_metrics_is_not_no_evaluation() -> None:
    collapsed = TrialReport(epoch=1, metrics={}, intervals={}, infeasible="collapsed code")
    assert TrialReport.from_dict(collapsed.to_dict()) == collapsed
    assert TrialReport.from_dict(TrialReport(epoch=1).to_dict()).metrics is None


def test_an_assignment_is_read_as_it_was_written() -> None:
    written = Assignment(
        number=3,
        config="{}",
        checkpoint="3.pt",
        kept="kept",
        gpus=0.5,
        floor=0.1,
        floor_from=2,
        baseline=True,
    )
    assert Assignment.from_dict(written.to_dict()) == written


@pytest.mark.parametrize("changed", [{"bseline": True}, {"floor_form": 1}])
def test_a_misspelt_field_of_an_assignment_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(changed))):
        Assignment.from_dict(assignment(0) | changed)


def test_metrics_that_are_not_finite_arrive() -> None:
    (value,) = (TrialReport.from_dict(TrialReport(metrics={"a": math.nan}).to_dict()).metrics or {}).values()
    assert math.isnan(value)
