"""Slices of a search: an objective against one setting, in all complete trials."""

from collections.abc import Sequence

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, figure, layout, number, plain, tick_texts
from tuning.report.parallel import leaves, ticks
from tuning.results.results import Results
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.space.words import value_text

GOLDEN = 0.618034
"""Multiples of it are spread evenly over the unit interval, so points of one value hardly overlap."""


def slices(results: Results) -> list[list[Chart]]:
    """Return for each objective a chart for each searched setting; empty if no trial is complete."""
    if not results.complete:
        return []
    return [
        [
            _chart(results, f"slice-{i}-{j}", objective, key, param)
            for j, (key, param) in enumerate(leaves(results.space).items())
        ]
        for i, objective in enumerate(results.space.objectives)
    ]


def _chart(results: Results, name: str, objective: str, key: str, param: Param) -> Chart:
    groups = {
        **results.groups,
        "front": [trial for trial in results.front if trial != results.best_tradeoff],
        "best trade-off": [results.best_tradeoff],
    }
    markers = {
        "other trials": {"color": "--grey", "size": 6, "opacity": 0.6},
        "not confirmed": {"color": "--grey", "size": 6, "opacity": 0.6, "symbol": "circle-open"},
        "front": {"color": "--blue", "size": 8, "symbol": "diamond"},
        "best trade-off": {"color": "--orange", "size": 14, "symbol": "star"},
    }
    used = {group: [trial for trial in groups[group] if key in trial.values] for group in markers}
    data = [
        _points(results, group, used[group], objective, key, param, marker)
        for group, marker in markers.items()
    ]
    label = key.removeprefix("strengths.")
    x = axis("", **_ticks(param))
    frame = layout(x, axis(objective), showlegend=False, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    shown = sum(len({*trace["customdata"]}) for trace in data)
    alt = f"{objective} against {label}, of {counted(shown, 'complete trial')}."
    members = len(param.members) if isinstance(param, SubsetParam) else 0
    if members:
        label += " (left of a name: in sets without it; right: in sets with it)"
    rows: list[list[object]] = [["series", "trial", key, objective]]
    for group, trials in used.items():
        rows += [[group, t.number, t.readable[key], results.objectives(t)[objective]] for t in trials]
    return Chart(name, label, alt, data, frame, 320 if members else 240, 70 * members, rows)


def _points(
    results: Results,
    name: str,
    trials: Sequence[TrialRecord],
    objective: str,
    key: str,
    param: Param,
    marker: Spec,
) -> Spec:
    points = [
        (x, results.objectives(trial)[objective], trial)
        for trial in trials
        for x in _places(trial, key, param)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "customdata": [trial.number for _, _, trial in points],
        "text": [_text(trial, key, objective, y) for _, y, trial in points],
        "hoverinfo": "text",
        "marker": marker,
    }


def _text(trial: TrialRecord, key: str, objective: str, value: float) -> str:
    setting = plain(value_text(trial.values[key]))
    return f"<b>trial {number(trial)}</b><br>{setting}<br>{plain(objective)}: <b>{figure(value)}</b>"


def _places(trial: TrialRecord, key: str, param: Param) -> list[float]:
    """Return a trial's places along the axis: one, or one for each member of a set, with it or without."""
    value = trial.values[key]
    shift = (trial.number * GOLDEN % 1 - 0.5) * 0.3
    if isinstance(param, SubsetParam):
        return [
            i + (0.22 if member in value else -0.22) + shift / 2 for i, member in enumerate(param.members)
        ]
    if isinstance(param, CategoricalParam):
        return [param.choices.index(value) + shift]
    return [float(value)]


def _ticks(param: Param) -> Spec:
    if isinstance(param, (FloatParam, IntParam)):
        at = ticks(param)
        return {"type": "log" if param.log else "linear", "tickvals": at, "ticktext": tick_texts(at)}
    choices = param.members if isinstance(param, SubsetParam) else param.choices
    return {
        "tickvals": list(range(len(choices))),
        "ticktext": [plain(value_text(choice)) for choice in choices],
        "range": [-0.5, len(choices) - 0.5],
        "showgrid": False,
        "zeroline": False,
    }
