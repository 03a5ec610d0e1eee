"""The block of a notebook's cell: one output, which holds all that was said and the newest panel."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from dcodr.data.prepare import prepare_synthetic
from tests.tuning.driver.test_display import OBJECTIVES, Clock, metrics
from tuning.driver.display import Display
from tuning.driver.notebook import PAUSE, NotebookConsole, progress
from tuning.preflight.checks import check
from tuning.space import load_space


class Cell:
    """An output that remembers everything it showed."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.clock = Clock()
        self.console = NotebookConsole(self.shown.append, self.clock)

    @property
    def text(self) -> str:
        """The text that is shown now."""
        return self.texts[-1]

    @property
    def texts(self) -> list[str]:
        """All texts that were shown, one after the other."""
        plain = (re.sub("<[^>]*>", "", html) for html in self.shown)
        return [text.replace("&lt;", "<").replace("&amp;", "&") for text in plain]


@pytest.fixture
def cell() -> Cell:
    return Cell()


def run(cell: Cell, trials: int, reached: Mapping[str, float]) -> None:
    with Display(trials, OBJECTIVES, [0, 0], console=cell.console, clock=cell.clock) as display:
        for number in range(trials):
            display.trial_started(number, f"trial<{number}>")
            display.trial_epoch(number, 1, 2, reached, 50.0)
            cell.clock.now += 10
            display.trial_ended(number, f"trial<{number}>", "complete", reached)


def test_a_search_of_many_trials_stays_one_panel(cell: Cell) -> None:
    cell.console.print("rendering")
    run(cell, 40, metrics(0.5, 0.25))
    cell.console.print("The end.")
    assert cell.text.startswith("rendering\n╭─ search")
    assert cell.text.count("╭─ search") == 1
    assert "40/40" in cell.text
    assert "best invariance" in cell.text
    assert cell.text.endswith("The end.\n")
    assert len(cell.text.splitlines()) < 15
    assert "<0>" not in cell.shown[-1]  # a label is text, no markup


def test_the_panel_of_a_running_search_follows_it(cell: Cell) -> None:
    with Display(3, OBJECTIVES, [0, 0], console=cell.console, clock=cell.clock) as display:
        assert "0/3" in cell.text
        cell.clock.now += 1
        display.trial_started(0, "crop")
        assert "1 running" in cell.text
        cell.clock.now += 1
        display.trial_epoch(0, 1, 2, metrics(0.125, 0.25))
        assert "epoch 1/2" in cell.text
        assert "invariance 0.125" in cell.text


def test_fast_trials_do_not_redraw_the_block_every_time(cell: Cell) -> None:
    with Display(1000, OBJECTIVES, [0, 0], console=cell.console, clock=cell.clock) as display:
        began = len(cell.shown)
        for number in range(500):
            cell.clock.now += 0.01
            display.trial_started(number, "crop")
        assert len(cell.shown) - began <= 500 * 0.01 / PAUSE + 1


def test_a_status_is_shown_while_it_lasts(cell: Cell) -> None:
    with cell.console.status("starting Ray") as status:
        assert cell.text.strip() == "starting Ray..."
        status.update("connecting")
        assert cell.text.strip() == "connecting..."
    assert not cell.text.strip()


def test_the_progress_of_a_step_is_shown_in_numbers(cell: Cell) -> None:
    with progress(cell.console, "rendering") as on_progress:
        assert cell.text.strip() == "rendering..."
        on_progress(1024, 10800)
        assert cell.text.strip() == "rendering: 1,024 of 10,800..."
    assert not cell.text.strip()


def test_the_embedded_dataset_is_rendered_before_the_eyes_of_the_reader(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(prepare_synthetic, n_images=200)
    monkeypatch.setattr("tuning.preflight.checks.prepare_synthetic", few)
    space = load_space("quick", data=str(tmp_path / "synthetic.h5"))
    check(space, None, cell.console)
    assert any("rendering the embedded dataset: 200 of 200..." in text for text in cell.texts)
