"""The complete trials of a search as points: the first objective against the second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from dcodr.files import appearing, write_text
from dcodr.palette import BLUE, GREY, ORANGE
from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction, FloatArray
from tuning.report.chart import chance
from tuning.report.labels import place
from tuning.report.tables import subset_alone
from tuning.results.csv_tables import trials_csv
from tuning.results.results import TRIALS_PICTURE, Results

MEANING = {
    "invariance": "invariance (0: the domain is known, 1: it is guessed at chance)",
    "informativeness": "informativeness (0: attributes are guessed at chance, 1: all known)",
    "image_informativeness": "image_informativeness (0: nothing of an image is known, 1: all of it)",
}
DPI, GAP = 150, 10
"""Pixels an inch, and around a point."""


def write_trials(results: Results, folder: Path) -> list[Path]:
    """Write the complete trials: ``trials.csv``, and ``trials.png`` unless there is only one objective.

    The picture has a point for each trial, a star for the best trade-off and a ring for the paper's settings;
    with two objectives a line joins the front. Labels are the trials' numbers, "paper" for the paper's
    settings, or the names of augmentations that are searched alone. A label that finds no room is left out;
    labels of the front choose first. Return the files; existing ones are replaced.

    Raises:
        UserError: If no trial is complete, or a file cannot be written.
    """
    results.require_front()
    table, picture = folder / "trials.csv", folder / TRIALS_PICTURE
    write_text(table, trials_csv(results))
    if len(results.space.objectives) < 2:
        return [table]
    with appearing(picture) as temporary:
        draw_trials(results).savefig(temporary, format="png")
    return [table, picture]


def draw_trials(results: Results) -> Figure:
    """Draw the picture of :func:`write_trials`."""
    figure = Figure(figsize=(8, 6), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    title = f"{results.name}: {counted(len(results.complete), 'complete trial')} on "
    axes.set_title(title + results.space.base.dataset, loc="left", fontweight="bold")
    _describe(axes, results)
    _draw_points(axes, results)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    # Labels are placed in pixels, and positions in pixels are final only after the layout.
    figure.draw_without_rendering()
    trials = [trial for group in results.groups.values() for trial in group]
    _draw_labels(axes, results.values(trials)[:, :2], [_label(results, trial) for trial in trials])
    return figure


def _label(results: Results, trial: TrialRecord) -> str:
    subset = subset_alone(results.space)
    if subset is not None:
        return str(trial.values[subset][0])
    return "paper" if trial.paper else f"{trial.number:03d}"


def _describe(axes: Axes, results: Results) -> None:
    """Label the axes; a raw accuracy has a line at its chance level."""
    (x, x_direction), (y, y_direction), *_ = results.space.objectives.items()
    axes.set_xlabel(_meaning(x, x_direction))
    axes.set_ylabel(_meaning(y, y_direction))
    for objective, line in ((x, axes.axvline), (y, axes.axhline)):
        if (level := chance(results.front[0], objective)) is not None:
            line(level, color=GREY, linewidth=0.8, linestyle=":", label=f"chance of {objective}")
    axes.grid(color="#E0E0E0", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _meaning(objective: str, direction: Direction) -> str:
    return MEANING.get(objective, f"{objective} (to {direction})")


def _draw_points(axes: Axes, results: Results) -> None:
    if len(results.space.objectives) == 2:
        direction = next(iter(results.space.objectives.values()))
        drawstyle = "steps-pre" if direction == "maximize" else "steps-post"
        axes.plot(*results.staircase().T, color=BLUE, linewidth=1.2, alpha=0.6, drawstyle=drawstyle)
    marks = {name: trials for name, trials in results.groups.items() if trials}
    marks["best trade-off"] = [results.best_tradeoff]
    if results.baseline is not None:
        marks["the paper's settings"] = [results.baseline]
    ring = {"s": 190, "facecolor": "none", "edgecolor": "black", "linewidth": 1.6, "zorder": 4}
    styles: dict[str, dict[str, Any]] = {
        "front": {"s": 40, "color": BLUE, "marker": "D", "zorder": 3},
        "other trials": {"s": 26, "color": GREY},
        "not confirmed": {"s": 26, "facecolor": "none", "edgecolor": GREY},
        "best trade-off": {
            "s": 190,
            "color": ORANGE,
            "edgecolor": "black",
            "linewidth": 0.8,
            "marker": "*",
            "zorder": 4,
        },
        "the paper's settings": ring,
    }
    for name, trials in marks.items():
        axes.scatter(*results.values(trials)[:, :2].T, label=name, **styles[name])
    axes.margins(0.1)


def _draw_labels(axes: Axes, points: FloatArray, names: Sequence[str]) -> None:
    """Draw labels, with a line to each label that is far from its point; the layout must be final."""
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    to_pixels, to_data = axes.transData.transform, axes.transData.inverted().transform
    texts = [axes.text(0, 0, name, fontsize=7.5, va="bottom", zorder=4) for name in names]
    boxes = [text.get_window_extent() for text in texts]
    at, sizes = to_pixels(points), np.array([(box.width, box.height) for box in boxes])
    corners = place(at, sizes, axes.bbox.extents, GAP)
    for text, point, size, corner in zip(texts, at, sizes, corners, strict=True):
        if corner is None:
            text.remove()
            continue
        text.set_position(tuple(to_data(corner)))
        text.set(in_layout=False, path_effects=[withStroke(linewidth=2, foreground="white")])
        nearest = np.clip(point, corner, np.add(corner, size))
        if np.linalg.norm(nearest - point) > 2 * GAP:
            axes.plot(*to_data([point, nearest]).T, color=GREY, linewidth=0.6)
