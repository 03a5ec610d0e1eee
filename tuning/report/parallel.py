"""Parallel coordinates of all complete trials, over settings and objectives."""

import html
import math
from collections.abc import Sequence
from typing import Any

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import CLEAR, Chart, Spec, framed, plain, tick_texts
from tuning.results.results import Results
from tuning.space import Space
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.space.words import value_text

MOST_AXES = 14
"""With more axes than this, a set of augmentations has a single axis, for its size."""
AXIS_WIDTH = 92
"""Least number of pixels between two axes."""
UNUSED = "unused"
"""Tick at the foot of an axis, for trials without a value of the setting."""


def parallel_chart(results: Results) -> Chart | None:
    """Return a chart of the complete trials, settings before objectives; ``None`` without any."""
    trials, objectives = results.complete, results.space.objectives
    if not trials:
        return None
    reached = [
        {"label": plain(name), "values": [round(trial.figures[name], 5) for trial in trials]}
        for name in objectives
    ]
    dimensions = [*_settings(results.space, trials), *reached]
    first, direction = next(iter(objectives.items()))
    colors = [trial.figures[first] for trial in trials]
    trace: Spec = {
        "type": "parcoords",
        "dimensions": dimensions,
        "line": {
            "color": colors,
            "colorscale": [[0, "--orange"], [1, "--blue"]],
            "reversescale": direction == "minimize",
            "cmin": min(colors),
            "cmax": max(colors) if max(colors) > min(colors) else min(colors) + 1,
        },
        "unselected": {"line": {"color": "--line", "opacity": 0.3}},
        "labelangle": -25,
        "labelside": "top",
        "labelfont": {"color": "--ink", "size": 12},
        "tickfont": {"color": "--ink", "size": 11},
        "rangefont": {"color": CLEAR, "size": 1},
    }
    names = html.unescape(", ".join(dimension["label"] for dimension in dimensions))
    lines = counted(len(trials), "complete trial")
    alt = f"{lines} as lines over {names}; blue where {first} is best, else orange."
    layout = framed(margin={"l": 96, "r": 64, "t": 110, "b": 24})
    width = 160 + AXIS_WIDTH * (len(dimensions) - 1)
    return Chart("parallel", "All complete trials", alt, [trace], layout, 480, width)


def _settings(space: Space, trials: Sequence[TrialRecord]) -> list[Spec]:
    params = _leaves(space)
    subsets = [param for param in params.values() if isinstance(param, SubsetParam)]
    members = sum(len(param.members) for param in subsets)
    whole = len(params) - len(subsets) + members + len(space.objectives) <= MOST_AXES
    axes = []
    for key, param in params.items():
        values = [trial.values.get(key) for trial in trials]
        if not isinstance(param, SubsetParam):
            axes.append(_axis(key, param, values))
        elif whole:
            axes += [_member(member, values) for member in param.members]
        else:
            axes.append(_size(key, param, values))
    return axes


def _leaves(space: Space) -> dict[str, Param]:
    """Return the searched parameters, each subset followed by the strengths of its members."""
    leaves: dict[str, Param] = {}
    for key, param in space.params.items():
        leaves[key] = param
        if isinstance(param, SubsetParam):
            leaves |= param.strength_params(param.members)
    return leaves


def _axis(key: str, param: Param, values: Sequence[Any]) -> Spec:
    label = key.removeprefix("strengths.")
    if isinstance(param, CategoricalParam):
        places = {choice: float(i) for i, choice in enumerate(param.choices)}
        ticks = {place: value_text(choice) for choice, place in places.items()}
        return _dimension(label, [None if v is None else places[v] for v in values], ticks)
    assert isinstance(param, (FloatParam, IntParam))
    scale = math.log10 if param.log else float
    at = _ticks(param)
    ticks = dict(zip(map(scale, at), tick_texts(at), strict=True))
    return _dimension(label, [None if v is None else scale(v) for v in values], ticks)


def _ticks(param: FloatParam | IntParam) -> list[float]:
    """Return the bounds of a range and round numbers between them."""
    low, high = param.low, param.high
    if param.log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        heads = (1, 2, 5) if len(decades) <= 3 else (1,)
        between = [head * 10.0**decade for decade in decades for head in heads]
    else:
        between = [low + (high - low) * part / 4 for part in (1, 2, 3)]
    return sorted({low, *(value for value in between if low < value < high), high})


def _member(member: str, values: Sequence[Any]) -> Spec:
    inside = [None if chosen is None else float(member in chosen) for chosen in values]
    return _dimension(member, inside, {0.0: "without", 1.0: "with"})


def _size(key: str, param: SubsetParam, values: Sequence[Any]) -> Spec:
    sizes = [None if chosen is None else float(len(chosen)) for chosen in values]
    ticks = {float(size): str(size) for size in range(param.min_size, param.largest + 1)}
    return _dimension(f"number of {key}", sizes, ticks)


def _dimension(label: str, values: Sequence[float | None], ticks: dict[float, str]) -> Spec:
    """Return an axis; trials without a value are below the lowest value."""
    span = max(ticks) - min(ticks) or 1.0
    foot = min(ticks) - span / 6
    if None in values:
        ticks = {foot: UNUSED, **ticks}
    return {
        "label": plain(label),
        "values": [round(foot if value is None else value, 5) for value in values],
        "tickvals": list(ticks),
        "ticktext": [plain(text) for text in ticks.values()],
        "range": [min(ticks), max(ticks) if max(ticks) > min(ticks) else min(ticks) + 1],
    }
