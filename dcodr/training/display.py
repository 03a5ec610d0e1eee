"""A training on the terminal: a line an epoch, and a bar for the epoch that runs."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from dcodr.training.epoch import Epoch

HEADLINES = ("invariance", "informativeness", "image_informativeness")


class TrainingDisplay:
    """Shows a training; its methods are what ``fit`` calls.

    Args:
        console: Where to.
        epochs: Epochs of the training.
        label: What is trained, put before every line.
    """

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
        """Take the bar away."""
        self._progress.stop()

    def on_epoch(self, epoch: "Epoch") -> None:
        """Print a line."""
        losses = (f"{name} {value:.4f}" for name, value in epoch.losses.items())
        figures = epoch.report.figures if epoch.report else {}
        headlines = (f"{name} {figures[name]:.3f}" for name in HEADLINES if name in figures)
        speed = f"{epoch.images_per_second:.0f} images/s"
        self.say("  ".join((f"epoch {epoch.epoch}/{self._epochs}", *losses, speed, *headlines)))
        self._progress.update(self._task, description=f"{self._label}epoch {epoch.epoch + 1}")

    def on_step(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total)

    def on_resume(self, epoch: int, damage: str | None) -> None:
        """Say where the training goes on."""
        if damage is not None:
            self.say(f"going on from the checkpoint before, for {damage}")
        self.say(f"going on after epoch {epoch}")

    def on_streamed(self, reason: str) -> None:
        """Say that the images do not lie on the GPU."""
        self.say(reason)

    def say(self, text: str) -> None:
        """Print a line of text."""
        self._console.print(f"{self._label}{text}", highlight=False, soft_wrap=True)
