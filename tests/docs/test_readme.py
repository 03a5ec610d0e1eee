"""The walk of the README, from a search to a tested encoder, as it stands there."""

import re
from pathlib import Path

import pytest

from tests.docs.commands import run_python
from tuning.results.search import Search

ROOT = Path(__file__).parents[2]


@pytest.mark.search
def test_the_first_walk(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    (tmp_path / "tune.py").symlink_to(ROOT / "tune.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synthetic.h5").symlink_to(tiny_store)
    walk = (ROOT / "README.md").read_text().split("## A first walk")[1].split("\n## ")[0]
    commands = re.findall(r"^    (python .*?)  +#", walk, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        run_python(command, tmp_path, monkeypatch)
    printed = capsys.readouterr().out
    counts = Search.open("quick", tmp_path / "runs").results().counts
    assert counts["complete"] >= 1
    assert not counts["failed"]
    assert counts.total() == 4
    assert (tmp_path / "runs" / "quick" / "report.html").is_file()
    assert re.search(r"All \d+ validation metrics of quick, trial \d+ are reproduced exactly\.", printed)
    assert (tmp_path / "trained" / "test.json").is_file()
