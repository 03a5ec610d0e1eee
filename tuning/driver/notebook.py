"""A console for notebooks: all that a search says is one block below the cell, redrawn in place."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.status import Status

from dcodr.console import progress_bar

WIDTH = 110
"""Characters in a line."""
PAUSE = 0.5
"""Seconds between two drawings of a running search's progress."""
_PRE = (
    "<pre style=\"line-height:normal;font-family:Menlo,'DejaVu Sans Mono',Consolas,monospace\">{code}</pre>"
)


class NotebookConsole(Console):
    """A console whose text, status and live part share one output of a notebook's cell.

    rich itself needs ipywidgets in a notebook, and shows each printed line as an output of its own. ``show``
    shows the block's HTML, and on later calls replaces it.
    """

    def __init__(
        self, show: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False)
        self._show = show or _cell_output()
        self._clock = clock
        self._newest: RenderableType | None = None
        self._waiting_for = ""
        self._drawn = float("-inf")

    def print(self, *objects: Any, **options: Any) -> None:
        """Print to the block."""
        super().print(*objects, **options)
        self._draw()

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Return a status whose text is the block's last line while it is in use."""
        return _NotebookStatus(self, status)

    def draw(self, live: RenderableType | None, *, now: bool = False) -> None:
        """Replace the live part, at the end of the block; ``None`` removes it.

        ``now`` draws it even if the block was drawn a moment ago.
        """
        self._newest = live
        if now or live is None or self._clock() - self._drawn >= PAUSE:
            self._draw()

    def wait_for(self, what: str) -> None:
        """Show the reason for a wait; an empty text removes it."""
        self._waiting_for = what
        self._draw()

    def _draw(self) -> None:
        said = self.export_html(clear=False, inline_styles=True, code_format="{code}")
        parts = [self._newest, self._waiting_for and f"[dim]{self._waiting_for}...[/dim]"]
        self._show(_PRE.format(code=said + "".join(_html(part) for part in parts if part)))
        self._drawn = self._clock()


class _NotebookStatus(Status):
    """A status on a :class:`NotebookConsole`."""

    def __init__(self, console: NotebookConsole, status: RenderableType) -> None:
        super().__init__(status, console=console)
        self._block = console

    def start(self) -> None:
        self._block.wait_for(str(self.status))

    def stop(self) -> None:
        self._block.wait_for("")

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        self.status = self.status if status is None else status
        self._block.wait_for(str(self.status))


def console_here() -> Console:
    """Return a console for the standard output, or in a notebook for the cell that runs."""
    console = Console()
    return NotebookConsole() if console.is_jupyter else console


@contextmanager
def progress(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a step; yield a function of the units done and of all units.

    A terminal shows a bar, a notebook numbers at the end of its block.
    """
    if isinstance(console, NotebookConsole):
        with console.status(what) as status:
            yield lambda done, total: status.update(f"{what}: {done:,} of {total:,}")
        return
    with progress_bar(what, console) as on_progress:
        yield on_progress


def _html(part: RenderableType) -> str:
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False)
    console.print(part)
    return console.export_html(inline_styles=True, code_format="{code}")


def _cell_output() -> Callable[[str], None]:
    """Return a function that shows HTML as an output of the cell that runs, the same output each time."""
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)

    def show(html: str) -> None:
        handle.update(HTML(html))

    return show
