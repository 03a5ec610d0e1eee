"""The display of a running search: plain lines in a pipe, a panel on a terminal."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from dcodr.console import unfailing
from tests.streams import Broken
from tuning.driver.display import Display
from tuning.ledger.trials import Outcome
from tuning.pareto import Direction

OBJECTIVES: dict[str, Direction] = {"invariance": "maximize", "informativeness": "maximize"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def metrics(invariance: float, informativeness: float) -> dict[str, float]:
    return {"invariance": invariance, "informativeness": informativeness, "loss": 3.0}


class Pipe:
    """A display that writes into a pipe, and what it wrote."""

    def __init__(
        self, total: int, objectives: dict[str, Direction] | None = None, epochs: int | None = None
    ) -> None:
        self.file, self.clock = io.StringIO(), Clock()
        console = Console(file=self.file, width=60)
        objectives = objectives or OBJECTIVES
        reference = [0.0 if direction == "maximize" else 1.0 for direction in objectives.values()]
        self.display = Display(
            total,
            objectives,
            reference,
            console=console,
            clock=self.clock,
            title="search augs",
            epochs=epochs,
        )

    @property
    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


def test_a_pipe_gets_a_line_at_the_start_and_one_for_every_evaluation_and_end() -> None:
    pipe = Pipe(4)
    with pipe.display as display:
        display.trial_started(0, "paper")
        display.trial_epoch(0, 1, 2, metrics(0.1, 0.2), 50.0)
        display.trial_epoch(0, 1, 2, metrics(0.1, 0.2), 50.0)  # the same evaluation still
        display.trial_epoch(0, 2, 2, metrics(0.9124, 0.8836), 50.0)  # its last: the end says so
        pipe.clock.now += 60
        display.trial_ended(0, "paper", "complete", metrics(0.9124, 0.8836))
        display.trial_started(11, "crop")
        pipe.clock.now += 60
        display.trial_ended(11, "crop", "failed", {})
    assert pipe.lines == [
        "[0/4] search augs started: maximize invariance, maximize informativeness",
        "[0/4] trial 000 epoch 1/2 invariance 0.100 informativeness 0.200",
        "[1/4] trial 000 complete invariance 0.912 informativeness 0.884 | front 1, hypervolume 0.806 "
        "| 1m, about 3m left",
        "[2/4] trial 011 failed | front 1, hypervolume 0.806 | 2m, about 2m left",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_confirmations_are_not_compared_with_each_other(terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=terminal, force_interactive=terminal)
    with Display(2, OBJECTIVES, [0, 0], console=console, clock=Clock(), compare=False) as display:
        display.trial_ended(0, "paper", "complete", metrics(0.9, 0.7))
    shown = Text.from_ansi(file.getvalue()).plain
    assert "1/2" in shown
    assert "front" not in shown
    assert "best" not in shown


def test_only_complete_trials_count_for_the_front_in_the_direction_asked_for() -> None:
    trials: list[tuple[Outcome, float, float]] = [
        ("complete", 0.5, 0.5),
        ("complete", 0.6, 0.6),  # a trade-off
        ("complete", 0.4, 0.6),  # dominated
        ("pruned", 0.9, 0.1),
        ("infeasible", 1.0, 0.0),
        ("complete", 0.7, 0.4),  # dominates all
    ]
    pipe = Pipe(9, {"invariance": "maximize", "error": "minimize"})
    with pipe.display as display:
        for number, (status, invariance, error) in enumerate(trials):
            display.trial_ended(number, "", status, {"invariance": invariance, "error": error})
    assert [re.findall(r"front (\d)", line) for line in pipe.lines[1:]] == [
        ["1"],
        ["2"],
        ["2"],
        ["2"],
        ["2"],
        ["1"],
    ]


@pytest.mark.parametrize(
    ("elapsed", "ended", "total", "expected"),
    [
        (4, 1, 2, "4s, about 10s left"),
        (45, 1, 2, "45s, about 40s left"),
        (192, 12, 24, "3m12s, about 3m left"),
        (3840, 1, 3, "1h04m, about 2h08m left"),
        (100, 2, 2, "1m40s"),
    ],
)
def test_the_time_left_is_what_the_trials_so_far_foretell(
    elapsed: float, ended: int, total: int, expected: str
) -> None:
    pipe = Pipe(total)
    with pipe.display as display:
        pipe.clock.now += elapsed
        for number in range(ended):
            display.trial_ended(number, "", "complete", metrics(0.5, 0.5))
    assert pipe.lines[-1].endswith(f"| {expected}")


def test_a_budget_of_epochs_ends_the_search_before_its_trials_do() -> None:
    pipe = Pipe(200, epochs=12)
    with pipe.display as display:
        display.trial_started(0, "paper")
        for epoch in (1, 2, 3):
            display.trial_epoch(0, epoch, 3, {})
        pipe.clock.now += 120
        display.trial_ended(0, "", "complete", metrics(0.5, 0.5))
    assert pipe.lines[-1].endswith("| 2m, about 6m left")  # 3 epochs in 2 minutes; 9 are left


def test_trials_of_an_earlier_process_count_but_not_for_speed() -> None:
    pipe = Pipe(12)
    for number in range(8):
        pipe.display.trial_restored(number, "", "complete", metrics(0.1 * number, -0.1 * number))
    with pipe.display as display:
        display.trial_started(9, "half done")
        display.trial_epoch(9, 5, 10, {})
        pipe.clock.now += 150
        display.trial_ended(8, "", "pruned", metrics(0.0, 0.0))
    # 1.5 trials in 150 s; 2.5 of the 12 are left.
    assert pipe.lines[1:] == [
        "[9/12] trial 008 stopped early invariance 0.000 informativeness 0.000 | front 8, hypervolume 0.000 "
        "| 2m30s, about 4m left"
    ]


def on_a_terminal(width: int, running: int = 2) -> tuple[str, str]:
    """Return the terminal's content at the end of a with block: all lines, and the last panel."""
    file, clock = io.StringIO(), Clock()
    console = Console(file=file, width=width, height=40, force_terminal=True, force_interactive=True)
    with Display(24, OBJECTIVES, [0, 0], console=console, clock=clock, title="search [augs]") as display:
        label = "crop+gaussian_blur+high_contrast+high_saturation"
        display.trial_ended(0, "paper", "complete", metrics(0.9, 0.7))
        display.trial_ended(1, label, "complete", metrics(0.8, 0.8))
        display.trial_ended(2, label, "pruned", metrics(1.0, 1.0))
        for number in range(3, 3 + running):
            display.trial_started(number, f"{label}-{number}")
        display.trial_epoch(3, 7, 10, metrics(0.71, 0.62), 1200.4)
        clock.now += 192
    text = Text.from_ansi(file.getvalue()).plain
    return text, text[text.rindex("╭") :]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_terminal_gets_a_panel(width: int) -> None:
    text, panel = on_a_terminal(width)
    assert "| front" not in text
    assert panel.startswith("╭─ search [augs] ─")
    assert "3/24" in panel
    assert "3m12s, about 18m left" in panel  # 3.7 of 24 done
    assert "2 complete · 1 stopped early · 2 running · 1,200 images/s" in panel
    assert "front 2, hypervolume 0.710" in panel
    assert re.search(r"best invariance +0\.900  trial 000  paper", panel)
    assert re.search(r"best informativeness +0\.800  trial 001  crop\+", panel)
    assert re.search(r"trial 003  epoch 7/10  invariance 0\.710 informativeness 0\.620  crop", panel)
    assert re.search(r"trial 004  starting +crop", panel)
    assert {len(line) for line in panel.rstrip().splitlines()} == {width}
    assert len(panel.rstrip().splitlines()) == 11


def test_many_running_trials_do_not_fill_the_screen() -> None:
    _, panel = on_a_terminal(100, running=64)
    assert "and 54 more" in panel
    assert len(panel.rstrip().splitlines()) < 24


@pytest.mark.parametrize("live", [False, True], ids=["a pipe", "a terminal"])
def test_a_stream_that_raises_ends_no_search(live: bool) -> None:
    console = unfailing(Console(file=Broken(OSError(5, "Input/output error")), force_terminal=live))
    display = Display(2, OBJECTIVES, [0.0, 0.0], console=console)
    with display:
        display.trial_started(0, "paper")
        display.trial_epoch(0, 1, 2, metrics(0.1, 0.2), 50.0)
        display.say("★")
        display.trial_ended(0, "paper", "complete", metrics(0.1, 0.2))
