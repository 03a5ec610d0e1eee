"""The benchmark of scale: time goes to the innermost part, growth is a power, reports are as a training's."""

import math
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import scale
from tests.tuning.assignments import assignment
from tuning.driver.scheduler import scheduler_of


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_time_within_another_part_is_that_parts() -> None:
    clock = scale.Clock()
    inner = clock.timed("inner", lambda: spin(0.04))

    def work() -> None:
        inner()
        spin(0.02)

    clock.timed("outer", work)()
    assert clock.cpu["inner"] == pytest.approx(0.04, abs=0.01)
    assert clock.cpu["outer"] == pytest.approx(0.02, abs=0.01)
    assert clock.wall["outer"] >= clock.cpu["inner"] + clock.cpu["outer"] - 0.001


def test_a_power_is_found() -> None:
    sizes = [100, 1000, 10000]
    assert scale.exponent(sizes, [7 * size**1.5 for size in sizes]) == "1.50"
    assert scale.exponent([100], [1.0]) == ""


def test_trials_report_what_the_space_asks_for(tmp_path: Path) -> None:
    space = scale.space_of(10, "random", 3, tmp_path / "no.h5")
    given = assignment(0, config=space.config(space.paper_values()).model_dump_json())
    reports = list(scale.reports(given))
    assert [report["epoch"] for report in reports] == [1, 2, 3]
    asha = scheduler_of(space)
    assert asha is not None
    for report in reports:
        assert set(space.objectives) <= set(report["metrics"])
        assert all(math.isfinite(figure) for figure in report["metrics"].values())
        asha.on_trial_result(None, SimpleNamespace(config=given), report)  # type: ignore[arg-type]
    assert sum(sum(bracket.values()) for bracket in asha.rungs) > 0
