"""The overview of a search on its page, and the state it is in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dcodr.words import counted, duration
from tuning.ledger.trials import TrialRecord, status_words
from tuning.results.results import Results
from tuning.space.params import CategoricalParam

Kind = Literal["running", "ended", "interrupted"]


@dataclass(frozen=True)
class State:
    """The state of a search.

    Attributes:
        kind: ``running`` if a process works on it; ``interrupted`` if none does and it is not over.
        text: The state in a sentence.
        running: The trials that run, with the epochs of their full budget.
        begun: Number of trials that were begun.
        planned: Most trials that the search begins.
    """

    kind: Kind
    text: str
    running: Sequence[tuple[TrialRecord, int]]
    begun: int
    planned: int


def state(results: Results) -> State:
    """Return the state of a search."""
    kind: Kind = "running" if results.driven else "interrupted"
    # The process of a search still works on its conclusion, such as the report, when it has ended.
    if results.facts.get("ended") is not None:
        kind = "ended"
    at_work = [t for t in results.records if t.status == "running"] if results.driven else []
    last = max((trial.end for trial, _ in results.ended), default=None)
    moment = f" {minute(last)}" if last else ""
    text = {
        "running": f"{counted(len(at_work), 'trial')} running",
        "ended": f"Stopped{moment}: {results.facts.get('ended')}",
        "interrupted": "Interrupted: no process works on this search; continue with --resume",
    }[kind]
    budgets = [(trial, results.space.config(trial.values).epochs) for trial in at_work]
    return State(kind, text, budgets, results.begun, results.space.search.trials)


def overview(results: Results) -> list[tuple[str, str]]:
    """Return the names and values of the overview of a search."""
    space, facts = results.space, results.facts
    objectives = ", ".join(f"{name} ({direction})" for name, direction in space.objectives.items())
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return [
        ("Dataset", f"{space.base.dataset}, fingerprint {facts.get('fingerprint') or 'unknown'}"),
        ("Method", _method(results)),
        ("Objectives", objectives),
        ("Trials", _trials(results)),
        ("Ended", _end(results)),
        ("When", _when(results)),
        ("Training", f"{counted(results.epochs, 'epoch')} in total, at most {space.base.epochs} per trial"),
        ("Sampler", f"{space.search.sampler}, seed {space.search.seed}"),
        ("Versions", versions or "unknown"),
    ]


def _method(results: Results) -> str:
    searched = results.space.params.get("method")
    if isinstance(searched, CategoricalParam):
        return f"searched: {', '.join(map(str, searched.choices))}"
    return results.space.base.method


def counts_text(results: Results) -> str:
    """Return the number of trials by status, e.g. ``5 complete, 2 stopped early``; empty without trials."""
    return ", ".join(f"{n} {status_words(status)}" for status, n in results.counts.most_common())


def _trials(results: Results) -> str:
    again = sum(trial.confirms is not None for trial, _ in results.ended)
    confirmations = f"; {counted(again, 'confirmation')}" if again else ""
    return f"{len(results.trials)}: {counts_text(results) or 'none'}{confirmations}"


def _end(results: Results) -> str:
    ended = results.facts.get("ended")
    if ended is not None:
        return str(ended)
    return "still running" if results.driven else "not yet: interrupted; continue with --resume"


def _when(results: Results) -> str:
    if not results.records:
        return "no trial has begun"
    first = min(trial.began for trial in results.records)
    last = max((trial.end for trial, _ in results.ended), default=None)
    spent = duration(sum(trial.seconds for trial, _ in results.ended))
    when = f"{minute(first)} to {minute(last)}" if last else f"since {minute(first)}"
    return f"{when}; training time {spent} in total"


def minute(moment: float) -> str:
    """Format a moment, in seconds since 1970, to the minute in local time."""
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M %Z}"
