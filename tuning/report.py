"""A search in words: its front, the gain over the paper's settings, where things are."""

import csv
import io
from collections import Counter
from typing import Any

from rich.console import Console

from tuning.front_table import FrontRow, front_table
from tuning.ledger import TrialRecord
from tuning.search import CONFIGS, Search
from tuning.tracking import ui_command


def print_summary(search: Search, console: Console, tracking_uri: str) -> None:
    """What a user sees at the end of a search."""
    print_status(search, console)
    if search.front():
        print_gain(search, console)
        _line(console, f"Configs of the front: {search.folder / CONFIGS}")
        best = search.folder / CONFIGS / search.config_file(search.knee())
        _line(console, f"Train the best compromise: python -m dcodr train --config {best} --out trained")
    _line(console, f"Compare the trials: {ui_command(tracking_uri)}")


def print_status(search: Search, console: Console) -> None:
    """How many trials ended how, why those without a place on the front failed, and the front."""
    trials = search.trials()
    counts = Counter(trial.status for trial in trials)
    console.print(f"Search {search.name}: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    for trial in trials:
        if trial.reason is not None:
            _line(console, f"  trial {trial.number:03d} {trial.status}: {trial.reason}")
    compared = search.compared()
    if not compared:
        console.print("No trial is complete yet: there is no front.")
        return
    knee = search.knee()
    rows = [
        FrontRow(
            number=trial.number,
            figures=trial.figures,
            params=_readable(trial),
            label="paper" if trial.paper else "",
            knee=trial == knee,
            on_front=on_front,
        )
        for trial, on_front in compared
    ]
    console.print(front_table(rows, list(search.space.objectives), console.width))


def print_gain(search: Search, console: Console) -> None:
    """What the front gains over the paper's settings in each objective."""
    paper = search.paper()
    if paper is None or paper.status != "complete":
        _line(console, "The paper's settings have no figures here, so there is no gain to tell.")
        return
    for name in search.space.objectives:
        best, start = search.best(name), paper.figures[name]
        _line(
            console,
            f"Best {name}: {best.figures[name]:.3f} (trial {best.number:03d}), the paper's settings "
            f"{start:.3f}, a change of {best.figures[name] - start:+.3f}",
        )
    beaten = [trial for trial in search.front() if search.better(trial, paper)]
    numbers = ", ".join(f"{trial.number:03d}" for trial in beaten)
    _line(console, f"Better than the paper's settings in every objective at once: {numbers or 'none'}")


def front_csv(search: Search) -> str:
    """The front as CSV, the paper's settings included."""
    rows = search.compared()
    figures = sorted({name for trial, _ in rows for name in trial.figures})
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["trial", "paper", "on_front", *search.space.params, *figures])
    for trial, on_front in rows:
        measured = [trial.figures.get(name) for name in figures]
        writer.writerow([trial.number, trial.paper, on_front, *_readable(trial).values(), *measured])
    return table.getvalue()


def _readable(trial: TrialRecord) -> dict[str, Any]:
    """A trial's values, each subset as one text, e.g. ``crop+affine``."""
    return {key: "+".join(v) if isinstance(v, tuple) else v for key, v in trial.values.items()}


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
