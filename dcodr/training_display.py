"""A training on the terminal: a line an epoch, and a bar for the epoch that runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from dcodr.trainer import Epoch

HEADLINES = ("invariance", "informativeness")


@contextmanager
def training_display(
    console: Console, epochs: int, label: str = ""
) -> Iterator[tuple[Callable[["Epoch"], None], Callable[[int, int], None]]]:
    """Show a training.

    Args:
        console: Where to.
        epochs: Epochs of the training.
        label: What is trained, put before every line.

    Yields:
        ``on_epoch`` and ``on_step`` for ``fit``.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{label}epoch", total=None)

        def on_epoch(epoch: "Epoch") -> None:
            losses = (f"{name} {value:.4f}" for name, value in epoch.losses.items())
            figures = epoch.report.figures if epoch.report else {}
            headlines = (f"{name} {figures[name]:.3f}" for name in HEADLINES if name in figures)
            speed = f"{epoch.images_per_second:.0f} images/s"
            words = [f"{label}epoch {epoch.epoch}/{epochs}", *losses, speed, *headlines]
            console.print("  ".join(words), highlight=False, soft_wrap=True)
            progress.update(task, description=f"{label}epoch {epoch.epoch + 1}")

        yield on_epoch, lambda done, total: progress.update(task, completed=done, total=total)
