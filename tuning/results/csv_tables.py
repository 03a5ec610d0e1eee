"""Tables of a search as CSV."""

from collections.abc import Sequence

from dcodr.tables import csv_text
from tuning.ledger.trials import TrialRecord
from tuning.results.gain import gains
from tuning.results.results import Results


def front_csv(results: Results) -> str:
    """Return the front as CSV, including the paper's settings."""
    return _trials(results, results.compared)


def trials_csv(results: Results) -> str:
    """Return all complete trials as CSV, by number."""
    front = {trial.number for trial in results.front}
    return _trials(results, [(trial, trial.number in front) for trial in results.complete])


def gain_csv(results: Results) -> str:
    """Return the gains over the paper's settings as CSV, with one row for each objective."""
    return csv_text(
        ["objective", "direction", "paper", "best", "best_trial", "change", "knee"],
        [
            (g.objective, g.direction, g.paper, g.best, g.trial, g.change, g.best_tradeoff)
            for g in gains(results)
        ],
    )


def _trials(results: Results, rows: Sequence[tuple[TrialRecord, bool]]) -> str:
    """Return trials as CSV, with their settings, metrics and place on the front or off it."""
    metrics = sorted({name for trial, _ in rows for name in trial.metrics})
    settings = list(dict.fromkeys(key for trial, _ in rows for key in trial.values))
    lines = []
    for trial, on_front in rows:
        measured = trial.metrics | results.objectives(trial)
        values = [trial.readable.get(key) for key in settings]
        lines.append([trial.number, trial.paper, on_front, *values, *map(measured.get, metrics)])
    return csv_text(["trial", "paper", "on_front", *settings, *metrics], lines)
