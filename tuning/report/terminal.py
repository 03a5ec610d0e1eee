"""A search on the terminal: its front, its gain over the paper's settings, its files."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dcodr.console import say
from dcodr.words import counted
from tuning.analysis.evidence import FEWEST_TRIALS
from tuning.ledger.trials import status_words
from tuning.report.facts import counts_text
from tuning.report.tables import answer_table, confirmed_table, finals_table, front_table, gain_table
from tuning.report.text_table import TextTable
from tuning.results.answer import answer_metrics, answer_text
from tuning.results.final_metrics import final_metrics
from tuning.results.results import ANALYSIS, BEFORE_AFTER, CONFIGS, REPORT, TRIALS_PICTURE, Results

PICTURES = {
    TRIALS_PICTURE: "The Pareto front",
    BEFORE_AFTER: "Neighbours of the same images, under the paper's settings and the best trade-off",
}
"""Content of the pictures that a search draws at its end, by their names."""


def print_summary(results: Results, console: Console, where: Sequence[str] = ()) -> None:
    """Print the result of a search: its answer, its front, its gain, its files and the next commands.

    The lines ``where`` explain how to compare the trials in MLflow.
    """
    if results.front:
        say(console, answer_text(results))
        print_table(answer_table(results), console)
    print_status(results, console)
    say(console, f"Stopped: {results.facts['ended']}.")
    if results.front:
        print_table(gain_table(results), console)
        configs = _from_here(results.folder / CONFIGS)
        say(console, f"Configs of the front: {configs}")
        best = shlex.quote(str(configs / results.config_file(results.best_tradeoff)))
        train = f"python -m dcodr train --config {best} --out trained{results.space.permission}"
        say(console, f"Train the best trade-off: {train}")
        for name, content in PICTURES.items():
            if (picture := results.folder / ANALYSIS / name).is_file():
                say(console, f"{content}: {_from_here(picture)}")
        say(console, _what_mattered(results))
        page = results.folder / REPORT
        shown = _from_here(page) if page.is_file() else _command(results, "report")
        say(console, f"All of it as one page: {shown}")
    for line in where:
        say(console, line)


def _what_mattered(results: Results) -> str:
    """Return a line with the folder of the search's analysis, or the command that makes one."""
    complete = len(results.complete)
    if complete < FEWEST_TRIALS:
        needed = f"an analysis needs {FEWEST_TRIALS} complete trials; this search has {complete}."
        return f"Importance of the settings: {needed}"
    folder = results.folder / ANALYSIS
    if folder.is_dir():
        return f"Importance of the settings: {_from_here(folder)}"
    return f"Importance of the settings: {_command(results, 'analyse')}"


def _command(results: Results, name: str) -> str:
    """Return a command about a search, for the folder where this process runs."""
    storage = str(_from_here(results.folder.parent))
    elsewhere = [] if storage == "runs" else ["--storage", storage]
    return shlex.join(["python", "-m", "tuning", name, results.name, *elsewhere])


def _from_here(path: Path) -> Path:
    """Return a path relative to the folder where this process runs, if the path is inside."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def status_facts(results: Results) -> dict[str, Any]:
    """Return progress and results of a search for scripts, as JSON values."""
    best = results.best_tradeoff if results.front else None
    return {
        "name": results.name,
        "process_at_work": results.driven,
        "ended": results.facts.get("ended"),
        "trials": results.counts,
        "epochs": results.epochs,
        "hypervolume": results.hypervolume,
        "answer": answer_metrics(results),
        "compared": [
            {
                "trial": trial.number,
                "on_front": on_front,
                "knee": trial == best,
                "paper": trial.paper,
                "objectives": results.objectives(trial),
                "settings": trial.values,
            }
            for trial, on_front in results.compared
        ],
        "test_images": [
            {
                "trial": final.trial.number,
                "knee": final.trial == best,
                "paper": final.trial.paper,
                "trainings": final.trainings,
                "mean": final.mean,
                "deviation": final.deviation,
            }
            for final in final_metrics(results)
        ],
    }


def print_status(results: Results, console: Console) -> None:
    """Print the number of trials by status, the reasons of infeasible and failed ones, and the front."""
    say(console, f"Search {results.name}: {counts_text(results)}")
    epochs = counted(results.epochs, "epoch")
    say(console, f"{epochs} trained; hypervolume of the front {results.hypervolume:.4f}")
    for trial in results.without_result:
        say(console, f"  {trial.in_words} {status_words(trial.status)}: {trial.reason}")
    if not results.front:
        say(console, "No trial is complete yet: there is no front.")
        return
    for table in (front_table(results), confirmed_table(results), finals_table(results)):
        print_table(table, console)


def print_table(table: TextTable | None, console: Console) -> None:
    """Print a table, if there is one, below its caption."""
    if table is not None:
        say(console, f"{table.caption}:")
        console.print(table.rich(console))
