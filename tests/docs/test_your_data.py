"""docs/your-data.md, executed: its files written, its commands run one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-data.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path) -> str:
    """What a command of the page prints, with this Python for ``python``."""
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = re.sub(r"^python ", '"$PYTHON" ', command)
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.ray
def test_every_command_of_the_page_works_as_it_stands(tmp_path: Path) -> None:
    for name in ("tune.py", "search_spaces"):
        (tmp_path / name).symlink_to(ROOT / name)
    printed: dict[str, str] = {}
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "sh":
            printed |= {command: run(command, tmp_path) for command in text.replace("\\\n", "").splitlines()}
        else:
            (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
    train, evaluate, embed = list(printed)[-3:]
    assert "are reproduced exactly" in printed[train]
    assert "informativeness" in printed[evaluate]
    assert "codes of 16 numbers" in printed[embed]
    assert (tmp_path / "data" / "toys.png").is_file()
