"""Terminal display of a training: one line per epoch, and a progress bar for the current epoch."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dcodr.console import say

if TYPE_CHECKING:
    from dcodr.training.checkpoint import Epoch
    from dcodr.training.trainer import Callbacks

HEADLINES = ("invariance", "informativeness", "image_informativeness")


class TrainingDisplay:
    """Display of a training by the callbacks of ``fit``; ``label`` begins every line."""

    def __init__(self, console: Console, epochs: int, label: str = "") -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(f"{label}epoch", total=None)
        self._epochs = epochs
        self._label = label

    def __enter__(self) -> "TrainingDisplay":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self._progress.stop()

    @property
    def callbacks(self) -> "Callbacks":
        """The callbacks to give to ``fit``."""
        return {
            "on_epoch": self.on_epoch,
            "on_step": self.on_step,
            "on_resume": self.on_resume,
            "on_streamed": lambda reason: self.say(f"the training {reason}"),
        }

    def on_epoch(self, epoch: "Epoch") -> None:
        """Print the losses and metrics of an epoch in one line."""
        losses = (f"{name} {value:.4f}" for name, value in epoch.losses.items())
        metrics = epoch.report.metrics if epoch.report else {}
        headlines = (f"{name} {metrics[name]:.3f}" for name in HEADLINES if name in metrics)
        speed = f"{epoch.images_per_second:.0f} images/s"
        self.say("  ".join((f"epoch {epoch.epoch}/{self._epochs}", *losses, speed, *headlines)))
        self._progress.update(self._task, description=f"{self._label}epoch {epoch.epoch + 1}")

    def on_step(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total)

    def on_resume(self, epoch: int, damage: str | None) -> None:
        """Print the epoch from which the training continues."""
        if damage is not None:
            self.say(f"continuing from the previous checkpoint, because of {damage}")
        self.say(f"continuing after epoch {epoch}")

    def say(self, text: str) -> None:
        """Print a line of text."""
        say(self._console, f"{self._label}{text}")
