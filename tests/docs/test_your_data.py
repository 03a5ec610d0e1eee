"""docs/your-data.md, executed: its files written, its commands run one after the other."""

import re
from pathlib import Path

import pytest

from tests.docs.commands import run_python
from tests.tuning.store import place

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-data.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.long
def test_every_command_of_the_page_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tune.py", "search_spaces"):
        (tmp_path / name).symlink_to(ROOT / name)
    place(tmp_path / "runs")
    printed: dict[str, str] = {}
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language != "sh":
            (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
            continue
        for command in text.replace("\\\n", "").splitlines():
            run_python(command, tmp_path, monkeypatch)
            printed[command] = capsys.readouterr().out
    train, evaluate, embed, neighbours, _, export, script = list(printed)[-7:]
    assert "are reproduced exactly" in printed[train]
    assert "informativeness" in printed[evaluate]
    assert "192 codes of 16 numbers, of images of 64 pixels" in printed[embed]
    assert "Nearest to duck/000.png" in printed[neighbours]
    assert "toys.pt: codes equal the encoder's to" in printed[export]
    assert "192 codes of 16 numbers" in printed[script]
    for file in ("neighbours.png", "map.html", "toys.safetensors.md"):
        assert (tmp_path / file).is_file()
    assert (tmp_path / "data" / "toys.png").is_file()
