"""``python -m benchmarks.gpu``: every part runs to its end, and says when the GPU does not agree."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu as command
from benchmarks import gpu_correctness, gpu_search, gpu_speed
from benchmarks.measure import Row
from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FactorDataset
from dcodr.methods.build import build_method
from tests.gpu.conftest import BRIEF
from tests.gpu.fake import FakeGPU


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, cuda_config: Config, brief: object) -> None:
    """Tiny trainings, in this process."""
    settings = {"method": "dcodr_norec"}
    monkeypatch.setattr(gpu_correctness, "SMALL", cuda_config.model_copy(update=settings))
    monkeypatch.setattr(gpu_correctness, "METHODS", ("lord",))
    monkeypatch.setattr(gpu_correctness, "ARCH", "small")
    monkeypatch.setattr(gpu_correctness, "FAST", BRIEF)
    encoder = EncoderConfig(arch="small", code_dim=16)
    monkeypatch.setattr(
        gpu_speed, "Config", lambda **settings: cuda_config.model_copy(update=settings | {"encoder": encoder})
    )


def at_once(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


@pytest.mark.usefixtures("short")
def test_a_device_agrees_with_itself(few: FactorDataset) -> None:
    rows = list(gpu_correctness.agreement(few, "cpu"))
    assert {row.ours for row in rows if "bfloat16" not in row.work} == {"differ by 0.0e+00"}


@pytest.mark.usefixtures("short")
def test_a_device_that_computes_something_else_is_found_out(
    few: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def other_weights(config: Config, *args: Any) -> Any:
        built.append(config)
        method = build_method(config, *args)
        if len(built) % 2 == 0:
            for parameter in method.parameters():
                parameter.data.mul_(1.2)
        return method

    monkeypatch.setattr("dcodr.training.trainer.build_method", other_weights)
    rows = gpu_correctness.agreement(few, "cpu")
    assert not next(row for row in rows if row.work.startswith("losses of lord")).met


@pytest.mark.usefixtures("gpu", "short")
def test_correctness_runs_to_its_end(few: FactorDataset) -> None:
    works = {row.work for row in gpu_correctness.agreement(few, "cuda")}
    rows = {row.work: row for row in gpu_correctness.on_the_gpu_alone(few)}
    assert {"views, GPU and CPU", "metrics of probes, GPU and CPU"} < works
    assert rows["steps that wait for the GPU"].met
    assert "losses, resumed against not" in rows


@pytest.mark.usefixtures("short")
def test_speed_runs_to_its_end(gpu: FakeGPU, cuda_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_speed, "alone", at_once)
    for name, value in {"IMAGES": 640, "STEPS": 2, "WARM": 1, "REFERENCE_STEPS": 1}.items():
        monkeypatch.setattr(gpu_speed, name, value)
    monkeypatch.setattr(gpu_speed, "reference_rate", lambda reconstruct: 1.0)
    rows = list(gpu_speed.norec())
    assert [row.work for row in rows] == [
        "dcodr_norec, epoch of 640 images",
        "dcodr_norec, GPU busy",
        "dcodr_norec, against the reference",
    ]
    assert rows[1].ours == "not known"
    gpu_speed.rate(cuda_config, 1, 0.24)
    assert gpu.shares == [1.0, 0.24]


def test_the_search_gives_each_trial_its_share(tmp_path: Path) -> None:
    space = gpu_search.space_on_gpu(tmp_path / "data.h5")
    assert (space.resources.gpus_per_trial, space.search.trials) == (0.25, 16)
    assert (space.base.device, space.base.precision) == ("cuda", "bfloat16")


def test_all_parts_together_take_less_than_8_minutes() -> None:
    assert sum(limit for _, limit in command.PARTS.values()) < 8 * 60


def a_part(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float) -> list[Row]:
    """Run a part whose process is a script that gets the file for rows as its last argument."""
    (tmp_path / "part.py").write_text(script)
    monkeypatch.setattr(command, "WORDS", [sys.executable, str(tmp_path / "part.py")])
    return command.run_part("four", limit)


ONE_ROW = """
import json, sys
row = dict(work="a", reference="", ours="1", ratio=None, goal="", met=True)
print(json.dumps(row), file=open(sys.argv[-1], "a"), flush=True)
"""


def test_a_part_that_takes_too_long_is_ended_and_its_rows_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_part(ONE_ROW + "import time; time.sleep(60)", tmp_path, monkeypatch, 2)
    assert [(row.work, row.ours, row.met) for row in rows] == [
        ("a", "1", True),
        ("four", "not done within 2 s", False),
    ]


def test_a_part_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = a_part("raise SystemExit(3)", tmp_path, monkeypatch, 20)
    assert (row.ours, row.met) == ("ended with exit status 3", False)


def test_the_table_is_written_twice(tmp_path: Path) -> None:
    rows = [Row("a", "1 s", "2 s", 0.5, "<= 1 s", False)]
    command.write(tmp_path / "out", "A GPU", rows)
    assert "| a | 1 s | 2 s | 0.50 | <= 1 s | **no** |" in (tmp_path / "out" / "gpu.md").read_text()
    written = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert [Row(**row) for row in written["rows"]] == rows
