"""The documentation prints the results of the record of labelled and label-free metrics."""

import json
from pathlib import Path

import pytest
from scipy.stats import rankdata

from benchmarks.label_free import DATASETS, RECORD, draw, table
from tuning.space import load_space

PAGE = Path(__file__).parents[2] / "docs" / "your-data.md"


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_page_has_the_records_correlations(dataset: str) -> None:
    runs = [run for run in map(json.loads, RECORD.read_text().splitlines()) if run["dataset"] == dataset]
    printed = table(dataset, [run for run in runs if run["infeasible"] is None])
    ranks = [rankdata([run[name] for run in runs]) for name in ("informativeness", "image_informativeness")]
    n = len(runs)
    rho = 1 - 6 * sum((a - b) ** 2 for a, b in zip(*ranks, strict=True)) / (n * (n * n - 1))
    assert f"all: {n} trainings, rank correlation {rho:.2f} (" in printed
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| {dataset} "))
    found = [line.split("correlation ")[1] for line in printed.splitlines()[1:]]
    assert all(f"**{rho}** {interval}" in row for rho, interval in (one.split(" ", 1) for one in found))
    assert f"| {n} |" in row


@pytest.mark.parametrize("dataset", DATASETS)
def test_draws_are_trainable_configs_and_repeat(dataset: str) -> None:
    space = load_space(DATASETS[dataset])
    configs = [space.config(draw(space, index)) for index in range(8)]
    assert len({config.model_dump_json() for config in configs}) == 8
    assert [config.method for config in configs].count("dcodr") == 2
    assert configs[3] == space.config(draw(space, 3))
