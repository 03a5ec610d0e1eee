"""Curves of a search: objectives over epochs, hypervolume over trials."""

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, better, figure, layout, number, plain
from tuning.results.results import Results

COLORS = ("--blue", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
DASHES = ("solid", "dash", "dot")
"""Colours of Okabe and Ito, which colour-blind readers can distinguish; then lines are dashed."""


def curve_charts(results: Results) -> list[Chart]:
    """Return a chart for each objective: the front's members and the paper's settings over their epochs."""
    trials = [trial for trial, _ in results.compared]
    if not trials:
        return []
    best = results.best_tradeoff.number
    trials.sort(key=lambda trial: (trial.number == best, trial.paper))
    charts = []
    for i, (objective, direction) in enumerate(results.space.objectives.items()):
        data = [_curve(trial, objective, _line(place, trial, best)) for place, trial in enumerate(trials)]
        x, y = axis("epoch", dtick=_tick(trials)), axis(better(objective, direction))
        frame = layout(x, y, showlegend=True)
        charts.append(Chart(f"curve-{i}", objective, _alt(trials, objective), data, frame, 380))
    return charts


def hypervolume_chart(results: Results) -> Chart | None:
    """Return a chart of the hypervolume over the trials in order of their ends; ``None`` without any."""
    history = [round(volume, 6) for _, volume in results.growth]
    if not history:
        return None
    trace: Spec = {
        "type": "scatter",
        "mode": "lines",
        "x": list(range(1, len(history) + 1)),
        "y": history,
        "line": {"color": "--blue", "width": 2, "shape": "hv"},
        "fill": "tozeroy",
        "fillcolor": "--blue-pale",
        "hovertemplate": "%{y:.4f} after trial %{customdata}, trials that ended: %{x}<extra></extra>",
        "customdata": [trial.number for trial, _ in results.growth],
        "showlegend": False,
    }
    best, _ = results.growth[history.index(history[-1])]
    after = counted(len(history), "trial")
    alt = f"Hypervolume {history[-1]:.4f} after {after}; trial {number(best)} raised it last."
    x, y = axis("trials that ended"), axis("hypervolume of the front", rangemode="tozero")
    return Chart("hypervolume", "Hypervolume of the front", alt, [trace], layout(x, y), 380)


def measured(trial: TrialRecord, objective: str) -> tuple[list[int], list[float]]:
    """Return the epochs in which a trial was evaluated, and an objective in each."""
    found = {e: r.metrics[objective] for e, r in trial.evaluated.items() if objective in r.metrics}
    return list(found), list(found.values())


def _line(place: int, trial: TrialRecord, best: int) -> tuple[str, Spec]:
    """Return the name and the line of the trial at a place among those drawn."""
    if trial.number == best:
        return f"{number(trial)} best trade-off", {"color": "--orange", "width": 3}
    if trial.paper:
        return f"{number(trial)} the paper's settings", {"color": "--ink", "width": 2, "dash": "dot"}
    dash = DASHES[place // len(COLORS) % len(DASHES)]
    return number(trial), {"color": COLORS[place % len(COLORS)], "width": 1.5, "dash": dash}


def _curve(trial: TrialRecord, objective: str, named: tuple[str, Spec]) -> Spec:
    epochs, values = measured(trial, objective)
    name, line = named
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": epochs,
        "y": values,
        "line": line,
        "marker": {"size": 5},
        "customdata": [trial.number] * len(epochs),
        "text": [_point(trial, epoch, objective, value) for epoch, value in zip(epochs, values, strict=True)],
        "hoverinfo": "text",
    }


def _point(trial: TrialRecord, epoch: int, objective: str, value: float) -> str:
    return f"<b>trial {number(trial)}</b>, epoch {epoch}<br>{plain(objective)}: <b>{figure(value)}</b>"


def _tick(trials: list[TrialRecord]) -> int:
    """Return the whole number of epochs between two ticks."""
    return max(1, max(trial.epoch for trial in trials) // 8)


def _alt(trials: list[TrialRecord], objective: str) -> str:
    last = {number(trial): figure(trial.metrics[objective]) for trial in trials}
    ends = ", ".join(f"trial {name} {value}" for name, value in last.items())
    return f"{objective} over the epochs, of {counted(len(last), 'trial')}. At the end: {ends}."
