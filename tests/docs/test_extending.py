"""docs/extending.md, executed: a search with parts of a package outside the tree."""

import json
import re
import sys
from pathlib import Path

import pytest

from dcodr import plugins
from dcodr.data.prepare import prepare_synthetic
from tests.docs.commands import run_python
from tests.extending import PAGE, write_package
from tests.tuning.store import place
from tuning.results.search import Search

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_every_command_of_the_page_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path)
    (tmp_path / "tune.py").symlink_to(ROOT / "tune.py")
    (tmp_path / "data").mkdir()
    prepare_synthetic(tmp_path / "data" / "synthetic.h5", 400)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    for name in [name for name in sys.modules if name.split(".")[0] == "mypackage"]:
        monkeypatch.delitem(sys.modules, name)
    place(tmp_path / "runs")
    printed: dict[str, str] = {}
    for command in re.findall(r"^    (python .*)$", PAGE.read_text(), re.MULTILINE):
        # The permission is that of one command, not of the one before.
        monkeypatch.setenv(plugins.ENVIRONMENT, "")
        run_python(command, tmp_path, monkeypatch)
        printed[command] = capsys.readouterr().out
    dry, _, _, train, evaluate = printed
    assert "mypackage.nets:tiny: 0.08" in printed[dry]
    assert "million parameters" in printed[dry]
    assert "are reproduced exactly" in printed[train]
    assert "mypackage.metrics:imbalance" in printed[evaluate]
    results = Search.open("mine", tmp_path / "runs").results()
    assert [trial.status for trial in results.trials] == ["complete"] * 4
    used = [dict(trial.values) for trial in results.trials]
    assert {values["encoder.arch"] for values in used} == {"small", "mypackage.nets:tiny"}
    assert {values["method"] for values in used} == {"dcodr_norec", "mypackage.methods:Align"}
    assert all(0 < trial.metrics["mypackage.metrics:offset"] < 1 for trial in results.trials)
    assert results.space.reference == [0.0, 1.0]
    measured = json.loads((tmp_path / "trained" / "test.json").read_text())["metrics"]
    assert 0 < measured["mypackage.metrics:offset"] < 1
