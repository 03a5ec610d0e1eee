"""Chart of the front among all complete trials."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, better, figure, hover, layout, number, scatter
from tuning.results.search import Search

Points = npt.NDArray[np.float64]


def front_chart(search: Search) -> Chart:
    """Draw all complete trials as points; mark the front, the best trade-off and the paper's settings.

    The axes are the first two objectives, or the trial's number and the only objective.

    Raises:
        UserError: If no trial is complete.
    """
    front = search.require_front()
    rest = [trial for trial in search.trials() if trial.status == "complete" and trial not in front]
    trials = [*front, *rest]
    points = _points(search, trials)
    texts = [
        hover(trial, reached) for trial, reached in zip(trials, search.all_objectives(trials), strict=True)
    ]
    n, at = len(front), {trial.number: i for i, trial in enumerate(trials)}
    data = _rest(search, points, texts, trials, n)
    if len(search.space.objectives) == 2:
        data.append(_staircase(search, points[:n]))
    front_marker = {"color": "--blue", "symbol": "diamond", "size": 10}
    data.append(_trace("front", points[:n], texts[:n], front_marker))
    knee, paper = at[search.knee().number], search.paper()
    star = {"color": "--orange", "symbol": "star", "size": 17, "line": {"color": "--ink", "width": 1}}
    data.append(_trace("best trade-off", points[[knee]], [texts[knee]], star))
    if paper is not None and paper.number in at:
        i = at[paper.number]
        ring = {"color": "--ink", "symbol": "circle-open", "size": 19, "line": {"width": 2}}
        data.append(_trace("the paper's settings", points[[i]], [texts[i]], ring))
    x, y = _axes(search)
    return Chart(
        "front", "The front", _alt(search, front, len(trials)), data, layout(x, y, hovermode="closest"), 520
    )


def _points(search: Search, trials: Sequence[TrialRecord]) -> Points:
    values = search.values(list(trials))
    if values.shape[1] > 1:
        return values[:, :2]
    return np.column_stack([[trial.number for trial in trials], values[:, 0]])


def _axes(search: Search) -> tuple[Spec, Spec]:
    titles = [better(name, direction) for name, direction in search.space.objectives.items()]
    first = ["trial", *titles][-2:] if len(titles) == 1 else titles[:2]
    return axis(first[0]), axis(first[1])


def _rest(
    search: Search, points: Points, texts: Sequence[str], trials: Sequence[TrialRecord], n: int
) -> list[Spec]:
    """Return the trials behind the front; if some are confirmed, the others have a trace of their own."""
    confirmed = {row.trial.number for row in search.confirmed()}
    behind = range(n, len(trials))
    apart = [i for i in behind if confirmed and trials[i].number not in confirmed]
    others = [i for i in behind if i not in set(apart)]
    found = []
    for name, rows, symbol in (("other trials", others, "circle"), ("not confirmed", apart, "circle-open")):
        if rows:
            marker = {"color": "--grey", "size": 7, "opacity": 0.55, "symbol": symbol}
            found.append(_trace(name, points[rows], [texts[i] for i in rows], marker))
    return found


def _staircase(search: Search, front: Points) -> Spec:
    """Return the line of the front in two objectives."""
    joined = front[front[:, 0].argsort(kind="stable")]
    rising = next(iter(search.space.objectives.values())) == "maximize"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": joined[:, 0].tolist(),
        "y": joined[:, 1].tolist(),
        "line": {"color": "--blue", "width": 1.5, "shape": "vh" if rising else "hv"},
        "opacity": 0.6,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _trace(name: str, points: Points, texts: Sequence[str], marker: Spec) -> Spec:
    return {
        "type": scatter(len(points)),
        "mode": "markers",
        "name": name,
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "text": list(texts),
        "hoverinfo": "text",
        "marker": marker,
    }


def _alt(search: Search, front: Sequence[TrialRecord], complete: int) -> str:
    values = search.values(list(front))
    spans = [
        f"{name} from {figure(column.min())} to {figure(column.max())}"
        for name, column in zip(search.space.objectives, values.T, strict=True)
    ]
    members = counted(len(front), "trial is", "trials are")
    return (
        f"{members} on the front of {counted(complete, 'complete trial')}, with {', '.join(spans)}. "
        f"The best trade-off is trial {number(search.knee())}. The table below has all of them."
    )
