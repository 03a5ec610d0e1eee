"""Tables of a search's trials as CSV."""

import csv
import io
from collections.abc import Sequence

from tuning.ledger.trials import TrialRecord
from tuning.results.search import Search


def front_csv(search: Search) -> str:
    """Return the front as CSV, including the paper's settings."""
    return _csv(search, search.compared())


def trials_csv(search: Search) -> str:
    """Return all complete trials as CSV, by number."""
    front = {trial.number for trial in search.front()}
    complete = [trial for trial in search.trials() if trial.status == "complete"]
    return _csv(search, [(trial, trial.number in front) for trial in complete])


def _csv(search: Search, rows: Sequence[tuple[TrialRecord, bool]]) -> str:
    """Return trials as CSV, with their settings, metrics and place on the front or off it."""
    figures = sorted({name for trial, _ in rows for name in trial.figures})
    settings = list(dict.fromkeys(key for trial, _ in rows for key in trial.values))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["trial", "paper", "on_front", *settings, *figures])
    objectives = search.all_objectives([trial for trial, _ in rows])
    for (trial, on_front), means in zip(rows, objectives, strict=True):
        measured = [means.get(name, trial.figures.get(name)) for name in figures]
        values = [trial.readable.get(key) for key in settings]
        writer.writerow([trial.number, trial.paper, on_front, *values, *measured])
    return table.getvalue()
