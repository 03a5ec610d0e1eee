"""The display of a running search.

A terminal and a notebook get a live panel. Everything else (CI, a pipe, a log file) gets one plain line for
every evaluation and for every trial that ended.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dcodr.console import say
from dcodr.words import duration
from tuning.driver.notebook import NotebookConsole
from tuning.ledger.trials import Outcome, status_words
from tuning.pareto import Direction, GrowingFront

_MAX_RUNNING_ROWS = 10


@dataclass
class _Running:
    label: str
    epoch: int = 0
    epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0

    @property
    def share(self) -> float:
        return self.epoch / self.epochs if self.epochs else 0.0


@dataclass(frozen=True)
class _Complete:
    number: int
    label: str
    metrics: Mapping[str, float]


class Display:
    """Progress of a search, as a context manager around it.

    ``epochs`` are those that all trials may still train, if they are limited. Without ``compare`` neither
    front nor best trials are shown, e.g. of confirmations. The reference is the worst that counts for the
    hypervolume.
    """

    def __init__(
        self,
        total: int,
        objectives: Mapping[str, Direction],
        reference: Sequence[float],
        *,
        title: str = "search",
        epochs: int | None = None,
        compare: bool = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._title = title
        self._epochs_left = epochs
        self._trained = 0
        self._compare = compare
        self._objectives = dict(objectives)
        self._console = console or Console()
        self._clock = clock
        self._began = clock()
        self._ended: Counter[Outcome] = Counter()
        self._restored = 0
        self._running: dict[int, _Running] = {}
        self._best: dict[str, _Complete] = {}
        self._front = GrowingFront(reference, list(objectives.values()))
        self._lock = threading.RLock()  # the panel is drawn by a thread of rich
        self._live: Live | None = None
        self._block = self._console if isinstance(self._console, NotebookConsole) else None
        self._plain = self._block is None and not self._console.is_interactive

    def __enter__(self) -> "Display":
        self._began = self._clock()
        if self._block is not None:
            self._block.draw(self._panel(), now=True)
        elif self._console.is_interactive:
            self._live = Live(get_renderable=self._panel, console=self._console, refresh_per_second=4)
            self._live.start()
        else:
            goals = ", ".join(f"{direction} {name}" for name, direction in self._objectives.items())
            say(self._console, f"[{self._done}/{self._total}] {self._title} started: {goals}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if self._block is not None:
            self._block.draw(None)
            self._block.print(self._panel())

    def trial_restored(self, number: int, label: str, status: Outcome, metrics: Mapping[str, float]) -> None:
        """Count a trial that ended in an earlier process; it does not count for the estimate of time."""
        self._restored += 1
        self._end(number, label, status, metrics)

    def trial_started(self, number: int, label: str) -> None:
        """Show a trial as running."""
        with self._lock:
            self._running[number] = _Running(label)
        self._redraw()

    def trial_epoch(
        self,
        number: int,
        epoch: int,
        epochs: int,
        metrics: Mapping[str, float],
        images_per_second: float = 0.0,
    ) -> None:
        """Show the progress of a running trial, and the objectives among its latest metrics."""
        with self._lock:
            before = self._running[number]
            self._trained += epoch - before.epoch
            self._running[number] = _Running(before.label, epoch, epochs, dict(metrics), images_per_second)
        self._redraw()
        if self._plain and metrics != before.metrics and epoch < epochs:
            line = f"trial {number:03d} epoch {epoch}/{epochs} {self._objective_text(metrics)}"
            say(self._console, f"[{self._done}/{self._total}] {line}")

    def trial_ended(self, number: int, label: str, status: Outcome, metrics: Mapping[str, float]) -> None:
        """Count a trial as done. Only complete ones, with all objectives, can be best or on the front."""
        self._end(number, label, status, metrics)
        self._redraw()
        if self._plain:
            ended = f"trial {number:03d} {status_words(status)} {self._objective_text(metrics)}"
            front = [self._front_text()] if self._compare else []
            line = f"[{self._done}/{self._total}] {ended.rstrip()}"
            say(self._console, " | ".join([line, *front, self._time_text()]))

    def say(self, text: str) -> None:
        """Show a line that stays."""
        say(self._console, text)

    def _end(self, number: int, label: str, status: Outcome, metrics: Mapping[str, float]) -> None:
        with self._lock:
            self._running.pop(number, None)
            self._ended[status] += 1
            if status == "complete":
                self._front.add([metrics[name] for name in self._objectives])
                self._keep_best(_Complete(number, label, dict(metrics)))

    @property
    def _done(self) -> int:
        return sum(self._ended.values())

    def _keep_best(self, trial: _Complete) -> None:
        for name, direction in self._objectives.items():
            sign = 1 if direction == "maximize" else -1
            best = self._best.get(name)
            if best is None or sign * trial.metrics[name] > sign * best.metrics[name]:
                self._best[name] = trial

    def _objective_text(self, metrics: Mapping[str, float]) -> str:
        return " ".join(f"{name} {metrics[name]:.3f}" for name in self._objectives if name in metrics)

    def _front_text(self) -> str:
        return f"front {len(self._front.rows)}, hypervolume {self._front.hypervolume:.3f}"

    def _time_text(self) -> str:
        """Return the elapsed time and an estimate of the time left, from the work done by this process."""
        elapsed = self._clock() - self._began
        open_work = sum(trial.share for trial in self._running.values())
        work = self._done - self._restored + open_work
        left = self._total - self._done - open_work
        # Work of an earlier process took none of this process's time, so it does not count for the speed.
        if left <= 0 or work <= 0:
            return duration(elapsed)
        seconds = elapsed * left / work
        if self._epochs_left is not None and self._trained:
            seconds = min(seconds, elapsed * max(0, self._epochs_left - self._trained) / self._trained)
        step = 10 if seconds < 60 else 60
        return f"{duration(elapsed)}, about {duration(max(step, round(seconds / step) * step))} left"

    def _redraw(self) -> None:
        """Draw the panel again in a notebook; on a terminal a thread of rich does."""
        if self._block is not None:
            self._block.draw(self._panel())

    def _panel(self) -> RenderableType:
        with self._lock:
            parts = [self._progress(), self._counts()]
            if self._best and self._compare:
                parts += [Text(), Text(self._front_text()), self._best_trials()]
            if self._running:
                parts += [Text(), self._running_table()]
            title = Text(self._title)
            return Panel(Group(*parts), title=title, title_align="left", border_style="dim", padding=(0, 1))

    def _progress(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        bar = ProgressBar(total=max(self._total, 1), completed=self._done)
        grid.add_row(bar, f"{self._done}/{self._total}", self._time_text())
        return grid

    def _counts(self) -> RenderableType:
        counts = [f"{count} {status_words(outcome)}" for outcome, count in sorted(self._ended.items())]
        counts.append(f"{len(self._running)} running")
        if speed := sum(trial.images_per_second for trial in self._running.values()):
            counts.append(f"{speed:,.0f} images/s")
        return Text(" · ".join(counts), "dim")

    def _best_trials(self) -> RenderableType:
        grid = _trial_grid()
        for name, best in self._best.items():
            figure = Text(f"{best.metrics[name]:.3f}", "bold")
            grid.add_row(f"best {name}", figure, f"trial {best.number:03d}", _one_line(best.label))
        return grid

    def _running_table(self) -> RenderableType:
        grid = _trial_grid()
        for number, trial in sorted(self._running.items())[:_MAX_RUNNING_ROWS]:
            epoch = f"epoch {trial.epoch}/{trial.epochs}" if trial.epochs else "starting"
            metrics = self._objective_text(trial.metrics)
            grid.add_row(f"trial {number:03d}", epoch, metrics, _one_line(trial.label))
        more = len(self._running) - _MAX_RUNNING_ROWS
        return Group(grid, Text(f"and {more} more", "dim")) if more > 0 else grid


def _trial_grid() -> Table:
    """Return a grid of four columns; the last one, the label, is cut when space is short."""
    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column(no_wrap=True)
    grid.add_column()
    return grid


def _one_line(label: str) -> Text:
    return Text(label, "dim", no_wrap=True, overflow="ellipsis")
