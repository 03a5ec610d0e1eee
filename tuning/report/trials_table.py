"""The table of all trials of a search, to be sorted by any column."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.ledger.trials import TrialRecord, status_words
from tuning.report.chart import figure
from tuning.report.matrix import by_rank
from tuning.results.results import Results
from tuning.space.words import value_text


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and the number it is sorted by; ``None`` if it is sorted as text."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """A trial: its number, whether it is on the front, and its cells."""

    number: int
    front: bool
    cells: Sequence[Cell]


@dataclass(frozen=True)
class TrialsTable:
    """All trials, the best first."""

    header: list[str]
    rows: Sequence[Row]


def trials_table(results: Results) -> TrialsTable:
    """Return all trials with their outcome, objectives, epochs, minutes and settings."""
    objectives = list(results.space.objectives)
    keys = list(dict.fromkeys(key for trial in results.trials for key in trial.values))
    shown = [key.removeprefix("strengths.") for key in keys]
    return TrialsTable(
        ["outcome", *objectives, "epochs", "minutes", *shown],
        [
            Row(
                trial.number,
                results.ranks.get(trial.number) == 1,
                [
                    Cell(outcome(results, trial)),
                    *(_metric(results, trial, name) for name in objectives),
                    Cell(str(trial.epoch), trial.epoch),
                    Cell(f"{trial.seconds / 60:.1f}", trial.seconds / 60) if trial.seconds else Cell("-"),
                    *(_setting(trial.values.get(key)) for key in keys),
                ],
            )
            for trial in by_rank(results)
        ],
    )


def outcome(results: Results, trial: TrialRecord) -> str:
    """Return a trial's outcome and its part in the search, in words."""
    parts = [status_words(trial.status)]
    if trial.status == "running":
        parts = ["running"] if results.driven else ["cut off"]
    elif trial.status == "reused" and trial.repeats is not None:
        parts = [f"repeats {trial.repeats:03d}"]
    elif results.ranks.get(trial.number) == 1:
        parts = ["★ best trade-off" if trial.number == results.best_tradeoff.number else "front"]
    elif results.group_of.get(trial.number) == "not confirmed":
        parts = ["not confirmed"]
    return ", ".join([*parts, *(["the paper's settings"] if trial.paper else [])])


def _metric(results: Results, trial: TrialRecord, name: str) -> Cell:
    if name not in trial.metrics:
        return Cell("-")
    value = results.objectives(trial)[name] if trial.status == "complete" else trial.metrics[name]
    return Cell(figure(value), value)


def _setting(value: object) -> Cell:
    if value is None:
        return Cell("-")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(value_text(value), float(value))
    return Cell(value_text(value))
