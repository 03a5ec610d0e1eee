"""``python -m benchmarks.gpu``: every part runs to its end, and says when the GPU does not agree."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from benchmarks import gpu as command
from benchmarks import gpu_correctness, gpu_search, gpu_speed
from benchmarks.measure import Row
from benchmarks.reference import training
from benchmarks.steps import random_weights
from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FactorDataset
from dcodr.methods.build import build_method
from tests.gpu.conftest import BRIEF
from tests.gpu.fake import FakeGPU
from tuning.space import Space


def test_all_methods_are_compared() -> None:
    assert set(vars(gpu_correctness)["METHODS"]) == {
        "dcodr",
        "dcodr_norec",
        "simclr",
        "lord",
        "ml_vae",
        "drnet",
    }


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


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the perceptual network, made once."""
    return random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def speed(short: None, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed of few steps, beside a small reference."""
    monkeypatch.setattr(gpu_speed, "alone", at_once)
    for name, value in {"IMAGES": 160, "STEPS": 2, "WARM": 1, "REFERENCE_STEPS": 1}.items():
        monkeypatch.setattr(gpu_speed, name, value)
    monkeypatch.setattr(gpu_speed, "random_weights", lambda folder: weights)
    monkeypatch.setattr(training, "N_PER_DOMAIN", 2)
    monkeypatch.setattr(training, "resnet50", resnet18)
    monkeypatch.setattr(training, "vgg16_features", lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))


@pytest.mark.usefixtures("gpu", "speed")
@pytest.mark.parametrize("method", ["dcodr_norec", "dcodr"])
def test_speed_runs_to_its_end(method: str) -> None:
    rows = list(gpu_speed.norec() if method == "dcodr_norec" else gpu_speed.full())
    assert [row.work for row in rows] == [
        f"{method}, epoch of 160 images",
        f"{method}, GPU busy",
        f"{method}, against the reference",
    ]
    assert rows[1].ours == "not known"


@pytest.mark.usefixtures("gpu", "speed")
def test_compiled_networks_run_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **settings: compiled.append(module))
    works = [row.work for row in gpu_speed.compiled()]
    assert works == ["dcodr_norec, compiled against not", "dcodr, compiled against not"]
    assert compiled


@pytest.mark.usefixtures("speed")
def test_four_trainings_begin_together_each_within_its_share(
    gpu: FakeGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    barriers: list[mock.Mock] = []

    class InTurn:
        """The pool of processes, in this one."""

        def __init__(self, size: int, context: object, meet: Callable[..., None], given: tuple[Any]) -> None:
            meet(*given)
            barriers.extend(given)

        def __enter__(self) -> "InTurn":
            return self

        def __exit__(self, *raised: object) -> None:
            pass

        map = staticmethod(map)

    monkeypatch.setattr(gpu_speed, "_together", None)
    monkeypatch.setattr(gpu_speed, "ProcessPoolExecutor", InTurn)
    monkeypatch.setattr(gpu_speed, "get_context", mock.Mock())
    (row,) = gpu_speed.four()
    assert row.work == "4 trainings on one GPU against 1"
    assert gpu.shares == [1.0, 0.24, 0.24, 0.24, 0.24]
    (barrier,) = barriers
    assert barrier.wait.call_count == 4


def test_the_search_gives_each_trial_its_share(tmp_path: Path) -> None:
    space = gpu_search.space_on_gpu(tmp_path / "data.h5")
    assert (space.resources.gpus_per_trial, space.search.trials) == (0.25, 16)
    assert (space.base.device, space.base.precision) == ("cuda", "bfloat16")


@pytest.mark.parametrize(("last", "met"), [("complete", True), ("failed", False)])
def test_the_search_says_how_its_trials_ended(last: str, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(space: Space, *, storage: Path, console: object) -> Any:
        assert Path(space.base.data or "").parent == storage
        statuses = [*["complete"] * (space.search.trials - 1), last]
        return SimpleNamespace(
            ledger=SimpleNamespace(records=lambda: [SimpleNamespace(status=status) for status in statuses])
        )

    monkeypatch.setattr(gpu_search, "IMAGES", 48)
    monkeypatch.setattr(gpu_search, "run_search", searched)
    (row,) = gpu_search.search()
    assert row.met == met
    assert ("16 complete" in row.ours) == met


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


def asked(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Ask the command."""
    monkeypatch.setattr(sys, "argv", ["benchmarks.gpu", *words])
    command.main()


def two_rows() -> Iterator[Row]:
    """A part."""
    yield Row("a", "", "1 s", None, "", True)
    yield Row("b", "", "2 s", None, "", True)


@pytest.mark.usefixtures("gpu")
def test_a_part_writes_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command.PARTS, "four", ("tests.gpu.test_benchmark:two_rows", 1))
    asked(monkeypatch, "--part", "four", "--into", str(tmp_path / "rows"))
    assert [Row(**json.loads(row)).work for row in (tmp_path / "rows").read_text().splitlines()] == ["a", "b"]


@pytest.mark.usefixtures("gpu")
def test_the_command_measures_its_parts_and_fails_if_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_part", lambda part, limit: [Row(part, "", "1 s", None, "", True)])
    asked(monkeypatch, "--only", "four", "search", "--out", str(tmp_path))
    printed = capsys.readouterr().out
    assert printed.startswith("Pretended, ")
    assert [row in printed for row in ("| four |", "| search |", "| compiled |")] == [True, True, False]
    assert (tmp_path / "gpu.md").read_text() == printed
    failed = Row("four", "", "ended with exit status 3", None, "finishes", False)
    monkeypatch.setattr(command, "run_part", lambda part, limit: [failed])
    with pytest.raises(SystemExit, match="1"):
        asked(monkeypatch, "--only", "four")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        asked(monkeypatch)
    assert "`make bench` measures the CPU" in capsys.readouterr().err
