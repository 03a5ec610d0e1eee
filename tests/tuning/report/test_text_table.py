"""Tables of text: no broken words on a terminal of any width, marks where they belong, Markdown."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuning.report.searches import made
from tuning.report.tables import front_table
from tuning.report.terminal import print_status
from tuning.report.text_table import TextTable
from tuning.results.search import Search

PARAMS = """
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation]}
  temperature: {type: float, low: 0.05, high: 0.5}
  reconstruction_weight: {type: float, low: 0.1, high: 0.5}
  perceptual.backbone: {type: categorical, choices: [pixel, vgg16]}
"""


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """Two trials on the front, of which the second is the best trade-off, and the paper's settings off it."""
    return made(tmp_path / "s", [[0.75, 0.75], [0.9123, 0.884], [0.8, 0.9]], params=PARAMS)


def rendered(search: Search, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    print_status(search.results(), console)
    lines = console.export_text().splitlines()
    return [line.rstrip() for line in lines[3:]]


@pytest.mark.parametrize("width", [80, 100, 135, 160, 200])
def test_no_word_of_the_table_is_broken(search: Search, width: int) -> None:
    lines = rendered(search, width)
    assert max(map(len, lines)) <= width
    words = set(re.findall(r"\w+(?:\.\w+)?(?:-\w+)?", " ".join(lines)))
    assert {"trial", "001", "000", "paper", "off-front"} <= words
    assert {"0.912", "0.884", "0.1", "0.3"} <= words
    assert {"crop", "blur", "high", "contrast", "saturation", "informativeness"} <= words
    assert {"reconstruction", "weight"} <= words or "reconstruction_weight" in words


def test_a_wide_table_has_a_column_a_parameter_and_marks(search: Search) -> None:
    best, _, paper = front_table(search.results()).rows
    assert best[:3] == ("001 ★", "0.912", "0.884")
    chosen = ("crop + high contrast + saturation + blur", "0.1", "0.3")
    assert paper[:6] == ("000\npaper\noff-front", "0.750", "0.750", *chosen)
    lines = [line.split() for line in rendered(search, 200)]
    assert lines[0] == ["reconstruction"]
    assert lines[1][:3] == ["trial", "invariance", "informativeness"]
    assert lines[-2:] == [["paper"], ["off-front"]]


def test_cells_are_no_markup() -> None:
    table = TextTable("of cells", ("name", "count"), [("[bold]one", "1"), ("two\nlines", "[red]2")])
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(table.rich(console))
    assert "[bold]one" in console.export_text(clear=False)
    assert "[red]2" in console.export_text()
    assert table.markdown().splitlines() == [
        "| name | count |",
        "| --- | --- |",
        "| [bold]one | 1 |",
        "| two lines | [red]2 |",
    ]
