"""Common parts of the page's charts: the form of plotly.js, axes, texts about a trial.

A colour may be the name of a CSS variable of the page, e.g. ``--blue``: the page's script inserts its value
in the reader's colour scheme.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction
from tuning.space.words import value_text

Spec = dict[str, Any]
"""A part of a figure, as plotly.js takes it."""

CLEAR = "rgba(0, 0, 0, 0)"
SIGNED = "+~g"
"""The format of ticks of changes: six digits without the zeros at the end. With a fixed number of decimals
the ticks of a small range would look the same."""
MANY_POINTS = 2000
"""With more points than this, the graphics card draws a chart, as SVG would be slow."""


@dataclass(frozen=True)
class Chart:
    """A figure of plotly.js.

    In a trace, ``customdata`` holds the number of the trial behind each point: the page's script marks the
    points of the selected trial, and selects the trial of a point that is clicked. Readers who cannot see the
    chart get ``alt``. Screens narrower than ``min_width`` scroll sideways. ``rows`` are the numbers to
    download, with a header, where the places of the points are not these numbers.
    """

    name: str
    title: str
    alt: str
    data: list[Spec]
    layout: Spec
    height: int
    min_width: int = 0
    rows: Sequence[Sequence[object]] | None = None


def plain(text: object) -> str:
    """Escape a text for plotly.js, which would otherwise render tags in the text, also links."""
    return html.escape(str(text), quote=False)


def axis(title: str, **more: Any) -> Spec:
    """Return an axis with thin lines."""
    return {
        "title": {"text": plain(title), "standoff": 8},
        "gridcolor": "--line",
        "zerolinecolor": "--line",
        "linecolor": "--line",
        "automargin": True,
        **more,
    }


def layout(x: Spec, y: Spec, **more: Any) -> Spec:
    """Return a layout without background, in the page's colours and font, with the legend above."""
    return (
        framed(xaxis=x, yaxis=y, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
        | {"hovermode": "closest"}
        | more
    )


def framed(**more: Any) -> Spec:
    """Return a layout without axes."""
    return {
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": "--ink", "family": "system-ui, sans-serif", "size": 13},
        "hoverlabel": {
            "bgcolor": "--card",
            "bordercolor": "--grey",
            "font": {"color": "--ink"},
            "align": "left",
        },
        "margin": {"l": 8, "r": 16, "t": 40, "b": 8},
        **more,
    }


def scatter(points: int) -> str:
    """Return the type of a trace with this many points."""
    return "scattergl" if points > MANY_POINTS else "scatter"


def better(objective: str, direction: Direction) -> str:
    """Return an objective with its better direction in words."""
    return f"{objective} ({'higher' if direction == 'maximize' else 'lower'} is better)"


def number(trial: TrialRecord) -> str:
    """Format a trial's number, as in all texts."""
    return f"{trial.number:03d}"


def figure(value: float) -> str:
    """Format a metric."""
    return f"{value:.3f}"


def reached(objectives: Mapping[str, float]) -> str:
    """Format objectives by name."""
    return ", ".join(f"{name} {figure(value)}" for name, value in objectives.items())


def tick_texts(values: Sequence[float]) -> list[str]:
    """Format the ticks of an axis: with four digits, or as many as make them differ."""
    for digits in range(4, 17):
        texts = [f"{value:.{digits}g}" for value in values]
        if len({*texts}) == len({*values}):
            return texts
    return [repr(value) for value in values]


def hover(trial: TrialRecord, objectives: Mapping[str, float]) -> str:
    """Return the text at a trial's point: number, objectives, settings, accuracies with their chance."""
    origin = f" ({plain(trial.origin)})" if trial.origin else ""
    lines = [f"<b>trial {number(trial)}</b>{origin}"]
    lines += [f"{plain(name)}: <b>{figure(value)}</b>" for name, value in objectives.items()]
    lines += [""]
    lines += [f"{plain(key)}: {plain(value_text(value))}" for key, value in trial.values.items()]
    raw = [name for name in raw_metrics(trial) if name not in objectives]
    lines += [""] if raw else []
    for name in raw:
        beside = "" if (level := chance(trial, name)) is None else f" (chance {figure(level)})"
        lines += [f"{plain(name)}: {figure(trial.metrics[name])}{beside}"]
    return "<br>".join(lines)


def raw_metrics(trial: TrialRecord) -> list[str]:
    """Return the names of a trial's accuracies and errors, as the paper's tables print them."""
    kinds = ("domain_accuracy", "accuracy/", "error/")
    return [name for name in trial.metrics if name.startswith(kinds)]


def chance(trial: TrialRecord, name: str) -> float | None:
    """Return the chance of an accuracy; ``None`` for other metrics."""
    return trial.metrics.get(f"chance/{name.removeprefix('accuracy/').removesuffix('_accuracy')}")
