"""The example scripts, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.ray
def test_the_search_from_python(tmp_path: Path, tiny_store: Path) -> None:
    script = ROOT / "examples" / "search_api.py"
    assert len(script.read_text().splitlines()) <= 80
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synthetic.h5").symlink_to(tiny_store)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, str(script)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reproduced exactly: True" in done.stdout
    assert re.search(r"^trial 00\d: invariance 0\.\d+, informativeness", done.stdout, re.MULTILINE)
    assert re.search(r"^codes: \(\d+, 16\)$", done.stdout, re.MULTILINE)
