"""Texts and tables of the page."""

from collections import Counter
from datetime import datetime, timedelta

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import figure, number, setting_text
from tuning.report.table import Table
from tuning.results.final_figures import CAPTION, final_figures, header
from tuning.results.gain import HEADER, gains
from tuning.results.search import Search
from tuning.space.params import CategoricalParam

STATUS = {"pruned": "stopped early", "reused": "repeats of earlier trials"}
MOST_REASONS = 50


def overview(search: Search) -> list[tuple[str, str]]:
    """Return the names and values of the overview of a search."""
    space, budget, facts = search.space, search.ledger.budget, search.ledger.facts()
    objectives = ", ".join(f"{name} ({direction})" for name, direction in space.objectives.items())
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return [
        ("Dataset", f"{space.base.dataset}, fingerprint {facts.get('fingerprint') or 'unknown'}"),
        ("Method", _method(search)),
        ("Objectives", objectives),
        ("Trials", _counts(search)),
        ("Ended", _end(search)),
        ("When", _when(search)),
        ("Training", f"{counted(budget.spent, 'epoch')} of {space.base.epochs} a trial at most"),
        ("Sampler", f"{space.search.sampler}, seed {space.search.seed}"),
        ("Versions", versions or "unknown"),
    ]


def gain_table(search: Search) -> Table | None:
    """Return the front's gains over the paper's settings; ``None`` if these have no metrics."""
    rows = [gain.cells() for gain in gains(search)]
    return Table("Gain over the paper's settings, on validation images", HEADER, rows) if rows else None


def front_table(search: Search) -> Table:
    """Return the front and the paper's settings, with objectives, intervals and settings."""
    rows = search.compared()
    keys = list(dict.fromkeys(key for trial, _ in rows for key in trial.values))
    knee = search.knee().number
    reached = search.all_objectives([trial for trial, _ in rows])
    cells = [
        (
            _marked(trial, on_front, knee),
            *(_with_interval(trial, name, value) for name, value in values.items()),
            *(setting_text(trial.values[key]) if key in trial.values else "-" for key in keys),
        )
        for (trial, on_front), values in zip(rows, reached, strict=True)
    ]
    caption = "The front, best in the first objective first, with 95 % confidence intervals of one training"
    return Table(caption, ("trial", *search.space.objectives, *keys), cells)


def alone_table(search: Search, subset: str) -> Table:
    """Return the single augmentations, best in the first objective first."""
    trials = [trial for trial in search.trials() if trial.status == "complete"]
    first, direction = next(iter(search.space.objectives.items()))
    trials.sort(key=lambda trial: trial.figures[first], reverse=direction == "maximize")
    rows = [
        (setting_text(trial.values[subset]), *map(figure, search.objectives(trial).values()))
        for trial in trials
    ]
    return Table("Each augmentation alone", ("augmentation", *search.space.objectives), rows)


def confirmed_table(search: Search) -> Table | None:
    """Return the confirmed trials; ``None`` if there are none."""
    names = list(search.space.objectives)
    rows = [
        (
            number(row.trial),
            str(row.seeds),
            *(f"{figure(row.mean[name])} ± {figure(row.spread[name])}" for name in names),
            f"{row.share:.0%}",
        )
        for row in search.confirmed()
    ]
    caption = "Trained again with other seeds: mean ± deviation from seed to seed"
    return (
        Table(caption, ("trial", "seeds", *names, "share of resamples on the front"), rows) if rows else None
    )


def finals_table(search: Search) -> Table | None:
    """Return the test metrics of the best trade-off and the paper's settings; ``None`` before they exist."""
    names = list(search.space.objectives)
    rows = [final.cells(names) for final in final_figures(search)]
    return Table(CAPTION, header(names), rows) if rows else None


def reasons_table(search: Search) -> Table | None:
    """Return the reasons of infeasible and failed trials; ``None`` if there are none."""
    rows = [(number(t), t.status, t.reason) for t in search.trials() if t.reason is not None]
    more = f", the first {MOST_REASONS} of {len(rows)}" if len(rows) > MOST_REASONS else ""
    caption = f"Infeasible and failed trials{more}"
    return Table(caption, ("trial", "outcome", "reason"), rows[:MOST_REASONS]) if rows else None


def _marked(trial: TrialRecord, on_front: bool, knee: int) -> str:
    marks = ["the best trade-off"] if trial.number == knee else []
    marks += ["the paper's settings"] if trial.paper else []
    marks += [] if on_front else ["not on the front"]
    return f"{number(trial)} ({', '.join(marks)})" if marks else number(trial)


def _with_interval(trial: TrialRecord, name: str, value: float) -> str:
    if name not in trial.intervals or value != trial.figures.get(name):
        return figure(value)
    low, high = trial.intervals[name]
    return f"{figure(value)} [{low:.2f}, {high:.2f}]"


def _method(search: Search) -> str:
    searched = search.space.params.get("method")
    if isinstance(searched, CategoricalParam):
        return f"searched: {', '.join(map(str, searched.choices))}"
    return search.space.base.method


def _counts(search: Search) -> str:
    running = "running" if search.driven else "cut off"
    names = [running if t.status == "running" else STATUS.get(t.status, t.status) for t in search.trials()]
    counts = ", ".join(f"{n} {name}" for name, n in Counter(names).most_common())
    again = sum(trial.confirms is not None for trial, _ in search.ended())
    return f"{len(names)}: {counts or 'none'}" + (f"; {counted(again, 'confirmation')}" if again else "")


def _end(search: Search) -> str:
    ended = search.ledger.facts().get("ended")
    if ended is not None:
        return f"because {ended}"
    return "still running" if search.driven else "not yet: the search was interrupted, --resume goes on"


def _when(search: Search) -> str:
    begun = search.ledger.begun_trials()
    if not begun:
        return "no trial has begun"
    first = min(trial.datetime_start for trial in begun if trial.datetime_start)
    last = max((trial.datetime_complete for trial in begun if trial.datetime_complete), default=None)
    spent = timedelta(seconds=round(sum(trial.seconds for trial, _ in search.ended())))
    until = f" to {_minute(last)}" if last else " on"
    return f"{_minute(first)}{until}, the trials took {spent} h together"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"
