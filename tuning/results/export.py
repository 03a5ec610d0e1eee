"""Export of configs of a search's best trials, which retrain to the same metrics."""

import datetime
from pathlib import Path
from typing import Any

from dcodr.config import dump_config
from dcodr.errors import UserError
from dcodr.files import write_text
from dcodr.words import option
from tuning.ledger.trials import TrialRecord
from tuning.results.results import CONFIGS, Results


def pick(results: Results, which: str) -> list[TrialRecord]:
    """Choose trials of a front.

    Args:
        results: The results of a search.
        which: ``knee`` (the best trade-off), ``best:OBJECTIVE``, ``trial:NUMBER`` or ``all-front``.

    Raises:
        UserError: If ``which`` is none of these, there is no such trial, or no trial is complete.
    """
    if which == "knee":
        return [results.best_tradeoff]
    if which == "all-front":
        return results.require_front()
    kind, _, named = which.partition(":")
    if kind == "best":
        return [results.best(named)]
    if kind == "trial" and named.isdecimal():
        return [_trial(results, int(named))]
    raise UserError(
        f"{option('pick', which, python='which')}: expected knee, best:OBJECTIVE, trial:NUMBER or all-front"
    )


def _trial(results: Results, number: int) -> TrialRecord:
    """Return a trial by number, also one off the front or one that was stopped early."""
    found = next((trial for trial in results.trials if trial.number == number), None)
    if found is None:
        raise UserError(
            f"{option('pick', f'trial:{number}', python='which')}: search {results.name!r} has no such trial"
        )
    return found


def export(results: Results, which: str, out: str | Path) -> list[Path]:
    """Write the configs of chosen trials.

    Args:
        results: The results of a search.
        which: The trials to choose; see :func:`pick`.
        out: Folder to write to; existing files of the same names are replaced.

    Returns:
        The files written, ``<search>-<trial>.yaml``.

    Raises:
        UserError: If nothing can be chosen.
    """
    written = []
    for trial in pick(results, which):
        path = Path(out) / results.config_file(trial)
        config = results.space.config(trial.values)
        write_text(path, dump_config(config, provenance(results, trial)))
        written.append(path)
    return written


def export_front(results: Results) -> None:
    """Write the configs of the front to the search's own folder, and delete those of other trials.

    Raises:
        UserError: If no trial is complete.
    """
    export(results, "all-front", results.folder / CONFIGS)
    for path in off_front(results):
        path.unlink()


def off_front(results: Results) -> list[Path]:
    """Return the configs in the search's own folder whose trials have left the front."""
    front = {trial.number for trial in results.front}
    rest = [trial for trial in results.trials if trial.number not in front]
    paths = [results.folder / CONFIGS / results.config_file(trial) for trial in rest]
    return [path for path in paths if path.is_file()]


def provenance(results: Results, trial: TrialRecord) -> dict[str, Any]:
    """Return the origin of a config: search, trial, versions, dataset, validation metrics."""
    return {
        "search": results.name,
        "trial": trial.number,
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "mlflow_run": results.facts.get("run_id"),
        "dataset_fingerprint": results.facts.get("fingerprint"),
        "validation": trial.metrics,
        "intervals": {name: list(bounds) for name, bounds in trial.intervals.items()},
        "versions": results.facts.get("versions", {}),
    }
