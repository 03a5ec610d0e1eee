"""Tables of a search's results, each defined once for the terminal, the page and MLflow."""

from collections.abc import Sequence

from tuning.ledger.trials import TrialRecord
from tuning.report.chart import better, figure, number
from tuning.report.text_table import TextTable
from tuning.results.answer import answer
from tuning.results.final_metrics import Final, final_metrics
from tuning.results.gain import gains
from tuning.results.results import Results
from tuning.space import Space
from tuning.space.params import SubsetParam
from tuning.space.words import value_text

MOST_REASONS = 50
"""Most infeasible and failed trials that are listed with their reasons."""


def gain_table(results: Results) -> TextTable | None:
    """Return the front's gains over the paper's settings; ``None`` if these have no metrics."""
    rows = [
        (
            better(gain.objective, gain.direction).replace(" (", "\n("),
            figure(gain.paper),
            f"{figure(gain.best)} (trial {gain.trial:03d})",
            f"{gain.change:+.3f}",
            figure(gain.best_tradeoff),
        )
        for gain in gains(results)
    ]
    header = ("objective", "the paper's\nsettings", "best of\nthe front", "change", "best\ntrade-off")
    return TextTable("Gain over the paper's settings, on validation images", header, rows) if rows else None


def answer_table(results: Results) -> TextTable | None:
    """Return the differences behind the search's answer; ``None`` if no interval can be given."""
    found = answer(results)
    if found is None:
        return None
    compared, rows = found.comparison, []
    for i, (name, direction) in enumerate(results.space.objectives.items()):
        cells = (
            better(name, direction).replace(" (", "\n("),
            f"{compared.difference[i]:+.3f}",
            f"[{compared.low[i]:+.3f}, {compared.high[i]:+.3f}]",
            f"{compared.better[i]:.2f}",
            found.verdict(i),
        )
        rows.append(cells)
    seeds = f"{compared.seeds} seeds each, {found.split} images"
    caption = f"Trial {found.trial:03d} minus {results.space.baseline}, {seeds}"
    header = ("objective", "difference", "95 % interval", "probability\nof a gain", "verdict")
    return TextTable(caption, header, rows, numbers=3)


def front_table(results: Results) -> TextTable:
    """Return the front and the paper's settings, with objectives, intervals and settings."""
    marked = [
        (
            "\n".join(_marks(results, trial, on_front)),
            *(_with_interval(trial, name, value) for name, value in results.objectives(trial).items()),
        )
        for trial, on_front in results.compared
    ]
    trials = [trial for trial, _ in results.compared]
    paper = ", paper: the paper's settings" if any(trial.paper for trial in trials) else ""
    caption = f"The front (★: best trade-off{paper}), with 95 % intervals of a training"
    return settings_table(caption, ("trial", *results.space.objectives), marked, trials)


def settings_table(
    caption: str, header: Sequence[str], cells: Sequence[Sequence[str]], trials: Sequence[TrialRecord]
) -> TextTable:
    """Return a table of trials with a column for each setting, after the given first columns."""
    keys = list(dict.fromkeys(key for trial in trials for key in trial.values))
    rows = [
        (*first, *(value_text(trial.values[key]) if key in trial.values else "-" for key in keys))
        for first, trial in zip(cells, trials, strict=True)
    ]
    return TextTable(caption, (*header, *keys), rows, numbers=len(header) - 1)


def subset_alone(space: Space) -> str | None:
    """Return the key of the subset, if a space searches nothing else and its sets have one member.

    The paper's study of single augmentations (supplement, section 1.2) is such a space. Sets of one member
    have no effects and no interactions, only a ranking.
    """
    (key, param), *more = space.params.items()
    alone = not more and isinstance(param, SubsetParam) and param.largest == 1 and not param.strengths
    return key if alone else None


def alone_table(results: Results, subset: str) -> TextTable:
    """Return the single augmentations, best in the first objective first."""
    objectives, front = list(results.space.objectives), {trial.number for trial in results.front}
    rows = [
        (
            value_text(trial.values[subset]),
            *map(figure, results.objectives(trial).values()),
            "yes" if trial.number in front else "",
        )
        for trial in results.ranked(results.complete, objectives[0])
    ]
    header = ("augmentation", *objectives, "front")
    return TextTable("Each augmentation alone", header, rows, numbers=len(objectives))


def confirmed_table(results: Results) -> TextTable | None:
    """Return the confirmed trials; ``None`` if there are none."""
    names = list(results.space.objectives)
    rows = [
        (
            number(row.trial),
            str(row.seeds),
            *(f"{figure(row.mean[name])} ± {figure(row.spread[name])}" for name in names),
            f"{row.share:.0%}",
        )
        for row in results.confirmed
    ]
    caption = "Trained again with other seeds: mean ± deviation from seed to seed, share of resamples"
    return TextTable(caption, ("trial", "seeds", *names, "on the front in"), rows) if rows else None


def finals_table(results: Results) -> TextTable | None:
    """Return the test metrics of the best trade-off and the paper's settings; ``None`` before they exist."""
    names = list(results.space.objectives)
    rows = [
        (final.name, number(final.trial), str(final.trainings), *(_tested(final, name) for name in names))
        for final in final_metrics(results)
    ]
    caption = "On the test images, under the paper's probe"
    return TextTable(caption, ("settings", "trial", "trainings", *names), rows) if rows else None


def reasons_table(results: Results) -> TextTable | None:
    """Return the reasons of infeasible and failed trials; ``None`` if there are none."""
    rows = [(_training(t), t.status, t.reason or "") for t in results.without_result]
    more = f", the first {MOST_REASONS} of {len(rows)}" if len(rows) > MOST_REASONS else ""
    caption = f"Infeasible and failed trials{more}"
    header = ("trial", "outcome", "reason")
    return TextTable(caption, header, rows[:MOST_REASONS], numbers=0) if rows else None


def _training(trial: TrialRecord) -> str:
    """Return the number of a trial, or of the trial that it confirms with its own seed."""
    return number(trial) if trial.confirms is None else f"{trial.confirms:03d}, seed {trial.seed}"


def _marks(results: Results, trial: TrialRecord, on_front: bool) -> list[str]:
    marks = [f"{number(trial)} ★" if trial == results.best_tradeoff else number(trial)]
    marks += ["paper"] if trial.paper else []
    return marks if on_front else [*marks, "off-front"]


def _with_interval(trial: TrialRecord, name: str, value: float) -> str:
    if name not in trial.intervals or value != trial.metrics.get(name):
        return figure(value)
    low, high = trial.intervals[name]
    return f"{figure(value)} [{low:.2f}, {high:.2f}]"


def _tested(final: Final, name: str) -> str:
    if name not in final.mean:
        return "-"
    deviation = f" ± {figure(final.deviation[name])}" if name in final.deviation else ""
    return f"{figure(final.mean[name])}{deviation}"
