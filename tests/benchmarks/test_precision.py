"""bfloat16 changes final metrics no more than another seed does: in the record and in a short run."""

import statistics
from pathlib import Path

import pytest

from benchmarks.precision import METRICS, PRECISIONS, change, metrics, recorded, table

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
CONFIGS = sorted({run["config"] for run in recorded()})


@pytest.mark.parametrize("config", CONFIGS)
def test_cars3d_ends_within_the_spread_of_seeds(config: str) -> None:
    runs = [run for run in recorded() if run["config"] == config]
    for name in METRICS:
        wide, half = (metrics(runs, precision, name) for precision in PRECISIONS)
        assert len(wide) == len(half) >= 3
        assert abs(change(wide, half)) <= 1, name
    assert table(runs) in PAGE.read_text()


def test_a_change_is_counted_in_deviations() -> None:
    assert change([0.0, 0.2], [0.1, 0.3]) == pytest.approx(0.1 / statistics.stdev([0.0, 0.2]))
    assert change([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]) == 0
