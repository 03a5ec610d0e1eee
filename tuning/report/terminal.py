"""A search on the terminal: its front, its gain over the paper's settings, its files."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from dcodr.words import counted
from tuning.results.confirmation import Confirmed
from tuning.results.final_figures import CAPTION, Final, final_figures, header
from tuning.results.front_table import FrontRow, front_table
from tuning.results.gain import better_everywhere, gains
from tuning.results.search import ANALYSIS, CONFIGS, FEWEST_TRIALS, Search


def print_summary(search: Search, console: Console, where: Sequence[str] = ()) -> None:
    """Print the result of a search: its front, its gain, its files and the next commands.

    Args:
        search: A search that has ended.
        console: Console to print to.
        where: Lines that explain how to compare the trials in MLflow.
    """
    print_status(search, console)
    _line(console, f"It ended because {search.ledger.facts()['ended']}.")
    if search.front():
        print_gain(search, console)
        configs = _from_here(search.folder / CONFIGS)
        _line(console, f"Configs of the front: {configs}")
        best = shlex.quote(str(configs / search.config_file(search.knee())))
        _line(console, f"Train the best trade-off: python -m dcodr train --config {best} --out trained")
        _line(console, _what_mattered(search))
        _line(console, f"All of it as one page: {_command(search, 'report')}")
    for line in where:
        _line(console, line)


def _what_mattered(search: Search) -> str:
    """Return a line with the folder of the search's analysis, or the command that makes one."""
    folder = search.folder / ANALYSIS
    if folder.is_dir():
        return f"What mattered: {_from_here(folder)}"
    complete = sum(trial.status == "complete" for trial in search.trials())
    if complete < FEWEST_TRIALS:
        return f"What mattered: an analysis needs {FEWEST_TRIALS} complete trials; there are {complete}."
    return f"What mattered: {_command(search, 'analyse')}"


def _command(search: Search, name: str) -> str:
    """Return a command about a search, for the folder where this process runs."""
    storage = str(_from_here(search.folder.parent))
    elsewhere = [] if storage == "runs" else ["--storage", storage]
    return shlex.join(["python", "-m", "tuning", name, search.name, *elsewhere])


def _from_here(path: Path) -> Path:
    """Return a path relative to the folder where this process runs, if the path is inside."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def status_facts(search: Search) -> dict[str, Any]:
    """Return progress and results of a search for scripts, as JSON values."""
    compared, budget = search.compared(), search.ledger.budget
    figures = search.all_objectives([trial for trial, _ in compared])
    knee = search.knee() if compared else None
    return {
        "name": search.name,
        "process_at_work": search.driven,
        "ended": search.ledger.facts().get("ended"),
        "trials": _counts(search),
        "epochs": budget.spent,
        "hypervolume": budget.hypervolume,
        "compared": [
            {
                "trial": trial.number,
                "on_front": on_front,
                "knee": trial == knee,
                "paper": trial.paper,
                "objectives": reached,
                "settings": trial.values,
            }
            for (trial, on_front), reached in zip(compared, figures, strict=True)
        ],
        "test_images": [
            {
                "trial": final.trial.number,
                "knee": final.trial == knee,
                "paper": final.trial.paper,
                "trainings": final.trainings,
                "mean": final.mean,
                "deviation": final.deviation,
            }
            for final in final_figures(search)
        ],
    }


def print_status(search: Search, console: Console) -> None:
    """Print the number of trials by status, the reasons of infeasible and failed ones, and the front."""
    trials, counts = search.trials(), _counts(search)
    _line(console, f"Search {search.name}: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    budget = search.ledger.budget
    _line(
        console,
        f"{counted(budget.spent, 'epoch')} trained; hypervolume of the front {budget.hypervolume:.4f}",
    )
    for trial in trials:
        if trial.reason is not None:
            _line(console, f"  trial {trial.number:03d} {trial.status}: {trial.reason}")
    compared = search.compared()
    if not compared:
        console.print("No trial is complete yet: there is no front.")
        return
    knee = search.knee()
    figures = search.all_objectives([trial for trial, _ in compared])
    rows = [
        FrontRow(
            number=trial.number,
            figures=reached,
            params=trial.readable,
            label="paper" if trial.paper else "",
            knee=trial == knee,
            on_front=on_front,
        )
        for (trial, on_front), reached in zip(compared, figures, strict=True)
    ]
    console.print(front_table(rows, list(search.space.objectives), console.width))
    confirmed = search.confirmed()
    if confirmed:
        _line(
            console,
            "Means over other seeds than the search's, with the standard deviation over seeds:",
        )
        console.print(_confirmed_table(confirmed, list(search.space.objectives)))
    finals = final_figures(search)
    if finals:
        _line(console, f"{CAPTION}:")
        console.print(_finals_table(finals, list(search.space.objectives)))


def print_gain(search: Search, console: Console) -> None:
    """Print the front's gain over the paper's settings in each objective."""
    for gain in gains(search):
        _line(
            console,
            f"Best {gain.objective}: {gain.best:.3f} (trial {gain.trial:03d}), the paper's settings "
            f"{gain.paper:.3f}, a change of {gain.change:+.3f}",
        )
    _line(console, better_everywhere(search))


def _counts(search: Search) -> Counter[str]:
    """Count the trials of each status."""
    running = "running" if search.driven else "cut off"
    return Counter(running if trial.status == "running" else trial.status for trial in search.trials())


def _confirmed_table(confirmed: Sequence[Confirmed], objectives: Sequence[str]) -> Table:
    """Return a table of means and deviations over seeds, with the share of resamples on the front."""
    table = _plain_table(("trial", "seeds"), (*objectives, "on the front in"))
    for row in confirmed:
        trained = [f"{row.mean[name]:.3f} ± {row.spread[name]:.3f}" for name in objectives]
        table.add_row(f"{row.trial.number:03d}", str(row.seeds), *trained, f"{row.share:.0%}")
    return table


def _finals_table(finals: Sequence[Final], objectives: Sequence[str]) -> Table:
    """Return a table of the best trade-off and the paper's settings on the test images."""
    left, figures = header(objectives)[:3], header(objectives)[3:]
    table = _plain_table(left, figures)
    for row in finals:
        table.add_row(*row.cells(objectives))
    return table


def _plain_table(words: Sequence[str], figures: Sequence[str]) -> Table:
    """Return an empty table: first columns of words, then columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in words:
        table.add_column(column)
    for column in figures:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
