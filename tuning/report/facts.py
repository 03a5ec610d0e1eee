"""The overview of a search on its page."""

from datetime import datetime, timedelta

from dcodr.words import counted
from tuning.results.results import Results
from tuning.space.params import CategoricalParam

STATUS = {"pruned": "stopped early", "reused": "repeats of earlier trials"}
"""Words for a status."""


def overview(results: Results) -> list[tuple[str, str]]:
    """Return the names and values of the overview of a search."""
    space, facts = results.space, results.facts
    objectives = ", ".join(f"{name} ({direction})" for name, direction in space.objectives.items())
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return [
        ("Dataset", f"{space.base.dataset}, fingerprint {facts.get('fingerprint') or 'unknown'}"),
        ("Method", _method(results)),
        ("Objectives", objectives),
        ("Trials", _counts(results)),
        ("Ended", _end(results)),
        ("When", _when(results)),
        ("Training", f"{counted(results.epochs, 'epoch')} of {space.base.epochs} a trial at most"),
        ("Sampler", f"{space.search.sampler}, seed {space.search.seed}"),
        ("Versions", versions or "unknown"),
    ]


def _method(results: Results) -> str:
    searched = results.space.params.get("method")
    if isinstance(searched, CategoricalParam):
        return f"searched: {', '.join(map(str, searched.choices))}"
    return results.space.base.method


def _counts(results: Results) -> str:
    counts = ", ".join(f"{n} {STATUS.get(status, status)}" for status, n in results.counts.most_common())
    again = sum(trial.confirms is not None for trial, _ in results.ended)
    confirmations = f"; {counted(again, 'confirmation')}" if again else ""
    return f"{len(results.trials)}: {counts or 'none'}{confirmations}"


def _end(results: Results) -> str:
    ended = results.facts.get("ended")
    if ended is not None:
        return f"because {ended}"
    return "still running" if results.driven else "not yet: the search was interrupted, --resume goes on"


def _when(results: Results) -> str:
    if not results.records:
        return "no trial has begun"
    first = min(trial.began for trial in results.records)
    last = max((trial.end for trial, _ in results.ended), default=None)
    spent = timedelta(seconds=round(sum(trial.seconds for trial, _ in results.ended)))
    until = f" to {_minute(last)}" if last else " on"
    return f"{_minute(first)}{until}, the trials took {spent} h together"


def _minute(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M %Z}"
