"""Chart of the front among all complete trials."""

from collections.abc import Sequence

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, better, figure, hover, layout, number, scatter
from tuning.results.results import Results


def front_chart(results: Results) -> Chart:
    """Draw all complete trials as points; mark the front, the best trade-off and the paper's settings.

    The axes are the first two objectives, or the trial's number and the only objective.

    Raises:
        UserError: If no trial is complete.
    """
    results.require_front()
    others = {"color": "--grey", "size": 7, "opacity": 0.55}
    data = [
        _trace(results, name, results.groups[name], {**others, "symbol": symbol})
        for name, symbol in (("other trials", "circle"), ("not confirmed", "circle-open"))
        if results.groups[name]
    ]
    if len(results.space.objectives) == 2:
        data.append(_staircase(results))
    front_marker = {"color": "--blue", "symbol": "diamond", "size": 10}
    data.append(_trace(results, "front", results.front, front_marker))
    star = {"color": "--orange", "symbol": "star", "size": 17, "line": {"color": "--ink", "width": 1}}
    data.append(_trace(results, "best trade-off", [results.knee], star))
    if results.baseline is not None:
        ring = {"color": "--ink", "symbol": "circle-open", "size": 19, "line": {"width": 2}}
        data.append(_trace(results, "the paper's settings", [results.baseline], ring))
    titles = ["trial", *(better(name, direction) for name, direction in results.space.objectives.items())]
    x, y = titles[-2:] if len(titles) == 2 else titles[1:3]
    frame = layout(axis(x), axis(y), hovermode="closest")
    return Chart("front", "The front", _alt(results), data, frame, 520)


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


def _trace(results: Results, name: str, trials: Sequence[TrialRecord], marker: Spec) -> Spec:
    reached = results.values(trials)
    return {
        "type": scatter(len(trials)),
        "mode": "markers",
        "name": name,
        "x": [trial.number for trial in trials] if reached.shape[1] == 1 else reached[:, 0].tolist(),
        "y": reached[:, min(1, reached.shape[1] - 1)].tolist(),
        "text": [hover(trial, results.objectives(trial)) for trial in trials],
        "hoverinfo": "text",
        "marker": marker,
    }


def _alt(results: Results) -> str:
    spans = [
        f"{name} from {figure(column.min())} to {figure(column.max())}"
        for name, column in zip(results.space.objectives, results.values(results.front).T, strict=True)
    ]
    members = counted(len(results.front), "trial is", "trials are")
    return (
        f"{members} on the front of {counted(len(results.complete), 'complete trial')}, with "
        f"{', '.join(spans)}. The best trade-off is trial {number(results.knee)}. The table below has all "
        "of them."
    )
