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

AXIS_WIDTH = 58
"""Least number of pixels between two axes."""
BAND = 0.4
"""Width of the bands of trials with an augmentation, and without it, where their distance is 1."""
UNUSED = "unused"
"""Tick at the foot of an axis, for trials without a value of the setting."""


def parallel_chart(results: Results) -> Chart | None:
    """Return a chart of the complete trials, settings before objectives; ``None`` without any."""
    trials, objectives = results.complete, results.space.objectives
    if not trials:
        return None
    columns = results.values(trials).T
    reached = [
        {"label": plain(name), "values": column.round(5).tolist()}
        for name, column in zip(objectives, columns, strict=True)
    ]
    first, direction = next(iter(objectives.items()))
    colors = columns[0].tolist()
    dimensions = [*_settings(results.space, trials, _spread(colors)), *reached]
    worst, best = ("--orange", "--blue") if direction == "maximize" else ("--blue", "--orange")
    trace: Spec = {
        "type": "parcoords",
        "dimensions": dimensions,
        "line": {
            "color": colors,
            "colorscale": [[0, worst], [1, best]],
            "cmin": min(colors),
            "cmax": max(colors) if max(colors) > min(colors) else min(colors) + 1,
        },
        "customdata": [trial.number for trial in trials],
        "unselected": {"line": {"color": "--line", "opacity": 0.3}},
        "labelangle": -45,
        "labelside": "top",
        "labelfont": {"color": "--ink", "size": 12},
        "tickfont": {"color": "--ink", "size": 11},
        "rangefont": {"color": CLEAR, "size": 1},
    }
    names = html.unescape(", ".join(dimension["label"] for dimension in dimensions))
    lines = counted(len(trials), "complete trial")
    alt = f"{lines} as lines over {names}; blue where {first} is best, else orange."
    layout = framed(margin={"l": 110, "r": 90, "t": 130, "b": 24})
    width = 200 + AXIS_WIDTH * (len(dimensions) - 1)
    rows = _rows(results, trials)
    return Chart("parallel", "All complete trials", alt, [trace], layout, 480, width, rows)


def _rows(results: Results, trials: Sequence[TrialRecord]) -> list[list[object]]:
    """Return settings and objectives of trials, to download; a setting that a trial does not use is empty."""
    keys = list(leaves(results.space))
    rows: list[list[object]] = [["trial", *keys, *results.space.objectives]]
    for trial in trials:
        known = trial.readable
        rows.append([trial.number, *map(known.get, keys), *results.objectives(trial).values()])
    return rows


def _spread(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from -0.5 to 0.5."""
    ranks = sorted(range(len(values)), key=values.__getitem__)
    place = {index: rank / max(1, len(values) - 1) - 0.5 for rank, index in enumerate(ranks)}
    return [place[index] for index in range(len(values))]


def _settings(space: Space, trials: Sequence[TrialRecord], spread: Sequence[float]) -> list[Spec]:
    axes = []
    for key, param in leaves(space).items():
        values = [trial.values.get(key) for trial in trials]
        if isinstance(param, SubsetParam):
            axes += [_member(member, values, spread) for member in param.members]
        else:
            axes.append(_axis(key, param, values))
    return axes


def leaves(space: Space) -> dict[str, Param]:
    """Return the searched parameters, each subset followed by the strengths of its members."""
    found: dict[str, Param] = {}
    for key, param in space.params.items():
        found[key] = param
        if isinstance(param, SubsetParam):
            found |= param.strength_params(param.members)
    return found


def _axis(key: str, param: Param, values: Sequence[Any]) -> Spec:
    label = key.removeprefix("strengths.")
    if isinstance(param, CategoricalParam):
        places = {choice: float(i) for i, choice in enumerate(param.choices)}
        named = {place: value_text(choice) for choice, place in places.items()}
        return _dimension(label, [None if v is None else places[v] for v in values], named)
    assert isinstance(param, (FloatParam, IntParam))
    scale = math.log10 if param.log else float
    at = ticks(param)
    named = dict(zip(map(scale, at), tick_texts(at), strict=True))
    return _dimension(label, [None if v is None else scale(v) for v in values], named)


def ticks(param: FloatParam | IntParam) -> list[float]:
    """Return the bounds of a range and round numbers between them."""
    low, high = param.low, param.high
    if param.log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        heads = (1, 2, 5) if len(decades) <= 3 else (1,)
        between = [head * 10.0**decade for decade in decades for head in heads]
    else:
        between = [low + (high - low) * part / 4 for part in (1, 2, 3)]
    return sorted({low, *(value for value in between if low < value < high), high})


def _member(member: str, values: Sequence[Any], spread: Sequence[float]) -> Spec:
    """Return an axis with a band for sets without a member and one for sets with it.

    Within a band, trials lie apart by the first objective: otherwise their lines would cover each other.
    """
    inside = [
        None if chosen is None else float(member in chosen) + BAND * shift
        for chosen, shift in zip(values, spread, strict=True)
    ]
    ends = [-BAND / 2, 1 + BAND / 2]
    return {
        **_dimension(member, inside, {0.0: "no", 1.0: "yes"}),
        **({} if None in inside else {"range": ends}),
    }


def _dimension(label: str, values: Sequence[float | None], ticks: dict[float, str]) -> Spec:
    """Return an axis; trials without a value are below the lowest value."""
    span = max(ticks) - min(ticks) or 1.0
    foot = min(ticks) - span / 6
    if None in values:
        ticks = {foot: UNUSED, **ticks}
    return {
        "label": plain(label),
        "values": [float(f"{foot if value is None else value:.6g}") for value in values],
        "tickvals": list(ticks),
        "ticktext": [plain(text) for text in ticks.values()],
        "range": [min(ticks), max(ticks) if max(ticks) > min(ticks) else min(ticks) + 1],
    }
