"""The pages as files: their links lead somewhere, also for readers on GitHub, and their commands exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from tests.test_command_line import APPS, parse
from tuning.space import load_space

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = ROOT / "docs" / "generated"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        path = page.parent / target if target else page
        if path.parent == GENERATED:
            continue
        assert path.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_every_page_is_in_the_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    blocks = re.findall(r"```{toctree}(.*?)```", index, re.DOTALL)
    contents = {name for block in blocks for name in block.split()}
    assert {page.stem for page in PAGES[2:]} - {"index"} <= contents


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one(page: Path) -> None:
    text = page.read_text().replace("\\\n", "")
    for line in re.findall(r"^(?:    )?(python (?:tune\.py|-m tuning|-m dcodr) .*)$", text, re.MULTILINE):
        words = shlex.split(line.replace("--plugins mypackage", "").partition(" > ")[0], comments=True)
        program, rest = ("tune", words[2:]) if words[1] == "tune.py" else (words[2], words[3:])
        parse(get_command(APPS[program]), rest)
        for word in rest:
            assert not word.startswith(("search_spaces/", "configs/")) or (ROOT / word).exists(), line


def test_the_space_of_the_readme_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGES[0].read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "s.yaml").write_text(block)
    assert load_space(tmp_path / "s.yaml").search.confirm is not None
