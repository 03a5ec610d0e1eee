"""A comparison prints all tables, continues from its file, and leaves the picture of the docs alone."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.search_efficiency import compare, ratios
from benchmarks.search_efficiency.histories import Failure, Task
from benchmarks.search_efficiency.records import RECORDS, SPACE
from benchmarks.search_efficiency.rows import ROWS, made_of
from benchmarks.search_efficiency.simulator import History
from tests.benchmarks.test_search_peers import Ramps

Floats = npt.NDArray[np.float64]
ROW = "random + Pareto ASHA"


class Known(Ramps):
    """A surrogate of which the temperature decides everything."""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def last(self, values: list[Mapping[str, Any]]) -> Floats:
        last: Floats = self.truth(values)[:, -1]
        return last


@pytest.fixture(name="compared")
def _compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a comparison that runs in this process on a known surrogate, and returns what it prints."""

    def pool(n: int, _: Any, __: Any, shared: tuple[Any, ...]) -> ThreadPoolExecutor:
        compare.SHARED.update(zip(("space", "surrogate", "goals", "epochs"), shared, strict=True))
        return ThreadPoolExecutor(n)

    def main(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["compare", *arguments])
        compare.main()
        return capsys.readouterr().out

    front = np.array([[0.6, 0.5], [0.5, 0.6]])
    monkeypatch.setattr(compare, "RANDOM_WHOLE", 20)
    monkeypatch.setattr(ratios, "RESAMPLES", 20)
    monkeypatch.setattr(compare, "SHARED", {})
    monkeypatch.setattr(compare, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(compare, "PICTURE", tmp_path / "docs.png")
    monkeypatch.setattr(compare, "Surrogate", Known)
    monkeypatch.setattr(compare, "best_front", lambda *_: ([], front))
    monkeypatch.setattr(compare, "cross_validated", lambda *_: {"invariance": 0.75})
    return main


SMALL = ("--seeds", "2", "--sequences", "3", "--workers", "2", "--epochs", "40", "--rows", ROW, "TPE")


def test_all_goals_are_compared_in_the_order_of_the_rows(compared: Callable[..., str]) -> None:
    printed = compared(*SMALL)
    assert "rank correlation of the final invariance: 0.75" in printed
    for unit in ("Epochs", "Clock"):
        for share in ("90", "95", "98"):
            for reference in ("0, 0", "0.5, 0.5"):
                assert f"{unit} until {share}% of the best known hypervolume from ({reference})" in printed
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row in ("random", ROW, "TPE")][:3] == ["random", ROW, "TPE"]
    searches = [line for line in printed.splitlines() if line.startswith(f"| {ROW}")]
    assert len(searches) == 12 + 1  # the last has the cost of a proposal
    assert "/2 |" in searches[0]


def test_a_comparison_continues_from_its_file(
    compared: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = ("--histories", str(tmp_path / "histories.jsonl"))
    first = compared(*SMALL, *histories)
    run, done = compare.run, set[str]()

    def counted(task: Task) -> History | Failure:
        done.add(task.row)
        return run(task)

    monkeypatch.setattr(compare, "run", counted)
    again = compared(*SMALL, *histories)
    assert not done
    assert again[again.index("| search") :] == first[first.index("| search") :]
    known = made_of(ROW, RECORDS["embedded"] / SPACE)
    monkeypatch.setattr(compare, "made_of", lambda row, _: {"code": "new"} if row == "TPE" else known)
    compared(*SMALL, *histories)
    assert done == {"TPE"}


def test_only_the_default_options_draw_the_picture_of_the_docs(
    compared: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(compare, "draw_picture", lambda path, *_: drawn.append(path))
    compared(*SMALL)
    assert not drawn
    compared(*SMALL, "--picture", str(tmp_path / "own.png"))
    assert drawn == [tmp_path / "own.png"]
    for changed in (["--seeds", "1"], ["--workers", "8"], ["--set", "choose"], ["--rows", *ROWS]):
        monkeypatch.setattr("sys.argv", ["compare", *changed])
        assert compare.arguments().picture is None
    for same in ([], ["--processes", "1"], ["--histories", "h.jsonl"], ["--seeds", "20"]):
        monkeypatch.setattr("sys.argv", ["compare", *same])
        assert compare.arguments().picture == tmp_path / "docs.png"


def test_a_row_may_have_other_settings_and_seeds(compared: Callable[..., str], tmp_path: Path) -> None:
    other, path = "ours {sampler: random, scheduler: null}", tmp_path / "histories.jsonl"
    printed = compared(*SMALL[:-2], other, "--first-seed", "1200", "--histories", str(path))
    assert f"| {other} | 2 |" in printed
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(run["row"], run["seed"]) for run in runs} == {(other, 1200), (other, 1201)}
    # Without early stopping and in sequence: a trial is complete after every four epochs of each worker.
    assert all(len(run["epochs"]) >= 9 for run in runs)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("our", "no row 'our'; the rows are ours; random + Pareto ASHA; TPE"),
        ("NSGA {a: 1}", "no row 'NSGA {a: 1}'; the rows are ours; random"),
        ("ours 3", "row 'ours 3': expected a mapping of settings, received '3'"),
        ("ours {startup: 3}", "type=unknown_key, input_value=3"),
    ],
)
def test_a_row_that_does_not_exist_is_refused(
    compared: Callable[..., str], capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    with pytest.raises(SystemExit):
        compared("--rows", name)
    assert reason in capsys.readouterr().err


def test_rows_and_peers_exclude_each_other(
    compared: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        compared("--peers", "--rows", "ours")
    assert "not allowed with argument" in capsys.readouterr().err
