"""The table of the front: no broken words at any width, marks where they belong."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from tuning.results.front_table import FrontRow, front_table


def figures(invariance: float, informativeness: float) -> dict[str, float]:
    return {"invariance": invariance, "informativeness": informativeness, "loss": 3.0}


SETTINGS: dict[str, object] = {
    "augmentations": "crop+gaussian_blur+high_contrast+high_saturation",
    "temperature": 0.2,
    "encoder_lr": 1.2345e-5,
    "generator_lr": 3e-4,
    "reconstruction_weight": 0.3,
}
ROWS = [
    FrontRow(number=4, figures=figures(0.9123, 0.884), params=SETTINGS, knee=True),
    FrontRow(number=12, figures=figures(0.8, 0.9), params={"temperature": 0.5, "note": "[bold] 1"}),
    FrontRow(number=0, figures=figures(0.8, 0.8), params=SETTINGS, label="paper", on_front=False),
]


def rendered(rows: list[FrontRow], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(front_table(rows, ["invariance", "informativeness"], width))
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 135, 160, 200])
def test_no_word_of_the_table_is_broken(width: int) -> None:
    long = "weights" * 4
    lines = rendered([replace(row, params=SETTINGS | {"backbone": long}) for row in ROWS], width)
    assert max(map(len, lines)) <= width
    words = set(re.findall(r"\w+(?:\.\w+)?(?:-\w+)?", " ".join(lines)))
    assert {"trial", "004", "000", "paper", "off-front"} <= words
    assert {"0.912", "0.884", "0.2", "1.23e-05", "0.0003"} <= words
    assert {"crop", "gaussian_blur", "high_contrast", "high_saturation", "informativeness"} <= words
    assert long in words
    assert {"reconstruction", "weight"} <= words or "reconstruction_weight" in words


def test_a_wide_table_has_a_column_a_parameter_and_marks() -> None:
    title, more, _, knee, other, paper, *below = rendered(ROWS, 160)
    assert title.split() == ["encoder", "generator", "reconstruction"]
    assert re.split(r"\s+", more) == [
        *("trial", "invariance", "informativeness", "augmentations", "temperature"),
        *("lr", "lr", "weight", "note"),
    ]
    assert knee.split() == [
        *("004", "★", "0.912", "0.884", "crop,", "gaussian_blur,", "high_contrast,", "high_saturation"),
        *("0.2", "1.23e-05", "0.0003", "0.3", "-"),
    ]
    assert other.split() == ["012", "0.800", "0.900", "-", "0.5", "-", "-", "-", "[bold]", "1"]
    assert paper.split()[:3] == ["000", "0.800", "0.800"]
    assert below == ["paper", "off-front"]


def test_a_narrow_table_lists_the_parameters_in_one_column() -> None:
    lines = rendered(ROWS[:1], 80)
    assert lines[0].split() == ["trial", "invariance", "informativeness", "settings"]
    start = lines[0].index("settings")
    settings = " ".join(line[start:] for line in lines[2:])
    assert " ".join(settings.split()) == (
        "augmentations=crop, gaussian_blur, high_contrast, high_saturation "
        "temperature=0.2 encoder_lr=1.23e-05 generator_lr=0.0003 reconstruction_weight=0.3"
    )


def test_what_was_not_measured_is_not_printed() -> None:
    failed = FrontRow(number=0, figures={}, params={"temperature": 0.2}, label="paper", on_front=False)
    assert rendered([failed], 80)[2].split() == ["000", "-", "-", "0.2"]
