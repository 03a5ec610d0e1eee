"""The searches in a folder, one line each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcodr.errors import UserError
from tuning.ledger.storage import names
from tuning.report.chart import reached
from tuning.report.text_table import TextTable
from tuning.results.results import Results
from tuning.results.search import Search


@dataclass(frozen=True)
class Best:
    """The best trade-off of a search: the trial's number and its objectives."""

    trial: int
    objectives: dict[str, float]


@dataclass(frozen=True)
class Listed:
    """One search of a folder.

    Attributes:
        name: The search's name.
        state: ``running`` while a process works on it, ``finished`` once it has ended, ``interrupted`` if
            it can be resumed, ``unreadable`` if its ledger is damaged.
        dataset: The dataset, of a readable search.
        done: Number of trials that have ended, confirmations excluded.
        trials: Number of trials asked for.
        best: The best trade-off, once a trial is complete.
        problem: The reason why it is unreadable.
    """

    name: str
    state: Literal["running", "finished", "interrupted", "unreadable"]
    dataset: str | None = None
    done: int = 0
    trials: int = 0
    best: Best | None = None
    problem: str | None = None


def listed(storage: Path) -> Iterator[Listed]:
    """Read the searches in a folder, by name."""
    for name in names(storage):
        try:
            yield _listed(Search.open(name, storage).results())
        except UserError as error:
            yield Listed(name, "unreadable", problem=str(error))


def _listed(results: Results) -> Listed:
    over = results.facts.get("ended") is not None
    best = None
    if results.front:
        best = Best(results.best_tradeoff.number, results.objectives(results.best_tradeoff))
    return Listed(
        results.name,
        "running" if results.driven else "finished" if over else "interrupted",
        results.space.base.dataset,
        results.begun - results.counts["running"] - results.counts["cut off"],
        results.space.search.trials,
        best,
    )


def list_table(searches: Sequence[Listed]) -> TextTable:
    """Return a table of searches."""
    rows = [
        (
            search.name,
            "-" if search.dataset is None else f"{search.done}/{search.trials}",
            search.state,
            search.dataset or "-",
            f"trial {best.trial:03d}: {reached(best.objectives)}" if (best := search.best) else "-",
        )
        for search in searches
    ]
    return TextTable("Searches", ("search", "trials", "state", "dataset", "best trade-off"), rows, 1)
