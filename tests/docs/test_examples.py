"""The example scripts, run as they stand."""

import re
from pathlib import Path

import pytest

from tests.docs.commands import run_python

ROOT = Path(__file__).parents[2]


@pytest.mark.ray
def test_the_search_from_python(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = ROOT / "examples" / "search_api.py"
    assert len(script.read_text().splitlines()) <= 80
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synthetic.h5").symlink_to(tiny_store)
    run_python(f"python {script}", tmp_path, monkeypatch)
    printed = capsys.readouterr().out
    assert "reproduced exactly: True" in printed
    assert re.search(r"^trial 00\d: invariance [01]\.\d+, informativeness", printed, re.MULTILINE)
    assert re.search(r"^codes: \(\d+, 16\)$", printed, re.MULTILINE)
