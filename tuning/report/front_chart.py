"""Chart of the Pareto plane: all trials with metrics, the front, and its intervals."""

from collections.abc import Sequence

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, better, figure, hover, layout, number, scatter
from tuning.results.results import Results

LINE = {"color": "--grey", "width": 1.5}


def front_chart(results: Results) -> Chart | None:
    """Draw all trials as points; mark the front, the best trade-off and the paper's settings.

    Trials that were stopped early, and those that run, are at their last validation metrics. The axes are the
    first two objectives, or the trial's number and the only objective. There is no chart as long as no trial
    has metrics.
    """
    running = "running, so far" if results.driven else "cut off"
    groups = {
        name: _measured(results, status)
        for name, status in (("stopped early", "pruned"), (running, "running"))
    }
    if not results.complete and not any(groups.values()):
        return None
    symbols = {"stopped early": "x-thin", running: "triangle-up-open"}
    data = [
        _points(results, name, trials, {"color": "--grey", "size": 7, "symbol": symbols[name], "line": LINE})
        for name, trials in groups.items()
        if trials
    ]
    data += _complete(results) if results.complete else []
    titles = ["trial", *(better(name, direction) for name, direction in results.space.objectives.items())]
    x, y = titles[-2:] if len(titles) == 2 else titles[1:3]
    return Chart("front", "The Pareto plane", _alt(results), data, layout(axis(x), axis(y)), 520)


def _measured(results: Results, status: str) -> list[TrialRecord]:
    """Return the trials of a status that have all objectives, though not at full budget."""
    objectives = results.space.objectives.keys()
    return [
        trial for trial in results.trials if trial.status == status and trial.metrics.keys() >= objectives
    ]


def _complete(results: Results) -> list[Spec]:
    """Return the traces of the complete trials."""
    others = {"color": "--grey", "size": 7, "opacity": 0.55}
    data = [
        _points(results, name, results.groups[name], {**others, "symbol": symbol})
        for name, symbol in (("other trials", "circle"), ("not confirmed", "circle-open"))
        if results.groups[name]
    ]
    if len(results.space.objectives) == 2:
        data.append(_staircase(results))
    front = {"color": "--blue", "symbol": "diamond", "size": 10}
    data.append(_with_intervals(results, _points(results, "front", results.front, front), results.front))
    star = {"color": "--orange", "symbol": "star", "size": 17, "line": {"color": "--ink", "width": 1}}
    data.append(_points(results, "best trade-off", [results.best_tradeoff], star))
    if results.baseline is not None:
        ring = {"color": "--ink", "symbol": "circle-open", "size": 19, "line": {"width": 2}}
        trace = _points(results, "the paper's settings", [results.baseline], ring)
        data.append(_with_intervals(results, trace, [results.baseline]))
    return data


def _staircase(results: Results) -> Spec:
    """Return the line of the front in two objectives."""
    x, y = results.staircase().T.tolist()
    rising = next(iter(results.space.objectives.values())) == "maximize"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": "--blue", "width": 1.5, "shape": "vh" if rising else "hv"},
        "opacity": 0.6,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _points(results: Results, name: str, trials: Sequence[TrialRecord], marker: Spec) -> Spec:
    reached = results.values(trials)
    return {
        "type": scatter(len(trials)),
        "mode": "markers",
        "name": name,
        "x": [trial.number for trial in trials] if reached.shape[1] == 1 else reached[:, 0].tolist(),
        "y": reached[:, min(1, reached.shape[1] - 1)].tolist(),
        "text": [hover(trial, results.objectives(trial)) for trial in trials],
        "customdata": [trial.number for trial in trials],
        "hoverinfo": "text",
        "marker": marker,
    }


def _with_intervals(results: Results, trace: Spec, trials: Sequence[TrialRecord]) -> Spec:
    """Add bars to points: 95 % intervals of one training, or one deviation of a mean over seeds."""
    names = list(results.space.objectives)
    axes = {"error_y": names[0]} if len(names) == 1 else {"error_x": names[0], "error_y": names[1]}
    spread = {row.trial.number: row.spread for row in results.confirmed}
    bars: Spec = {}
    for key, name in axes.items():
        reach = [_reach(trial, name, spread.get(trial.number)) for trial in trials]
        bars[key] = {
            "type": "data",
            "symmetric": False,
            "arrayminus": [below for below, _ in reach],
            "array": [above for _, above in reach],
            "color": "--soft",
            "thickness": 1,
            "width": 0,
        }
    return {**trace, **bars}


def _reach(
    trial: TrialRecord, name: str, spread: dict[str, float] | None
) -> tuple[float | None, float | None]:
    """Return the length of a point's bar below and above; ``None`` if nothing is known of it."""
    if spread is not None:
        return spread[name], spread[name]
    if name not in trial.intervals:
        return None, None
    low, high = trial.intervals[name]
    return max(0.0, trial.metrics[name] - low), max(0.0, high - trial.metrics[name])


def _alt(results: Results) -> str:
    if not results.front:
        return "No trial is complete yet; the points are trials that run or were stopped early."
    spans = [
        f"{name} from {figure(column.min())} to {figure(column.max())}"
        for name, column in zip(results.space.objectives, results.values(results.front).T, strict=True)
    ]
    members = counted(len(results.front), "trial is", "trials are")
    return (
        f"{members} on the front of {counted(len(results.complete), 'complete trial')}, with "
        f"{', '.join(spans)}. The best trade-off is trial {number(results.best_tradeoff)}. "
        "The table of trials has all of them."
    )
