"""The status of a running search, shown again and again until the search is over."""

import io
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dcodr.console import say
from tuning.report.facts import counts_text
from tuning.report.terminal import print_status
from tuning.results.results import Results

PAUSE = 2.0
"""Least seconds between two readings; a ledger that takes long to read is read less often."""


def watch(
    read: Callable[[], Results], console: Console, sleep: Callable[[float], None] = time.sleep
) -> Results:
    """Show a search's status until it has ended, or no process works on it any more; return its results.

    A terminal shows the newest status in place. Anything else gets a line whenever the counts change.
    """
    said = None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            began = time.monotonic()
            results = read()
            if results.facts.get("ended") is not None or not results.driven:
                return results
            if console.is_terminal:
                live.update(_status(results, console), refresh=True)
            elif said != (said := _counts(results)):
                say(console, said)
            sleep(max(PAUSE, 4 * (time.monotonic() - began)))


def _counts(results: Results) -> str:
    return f"Search {results.name}: {counts_text(results) or 'no trial yet'}"


def _status(results: Results, console: Console) -> Text:
    """Return what the command ``status`` prints."""
    drawn = Console(file=io.StringIO(), width=console.width, force_terminal=True, color_system="standard")
    with drawn.capture() as captured:
        print_status(results, drawn)
    return Text.from_ansi(captured.get())
