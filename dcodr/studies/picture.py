"""The picture of the autoencoder study."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcodr.files import appearing
from dcodr.palette import BLUE, ORANGE
from dcodr.studies.published import Measures


def draw_invariance(
    path: Path, title: str, measured: Mapping[str, Measures], published: Mapping[str, Measures]
) -> None:
    """Draw both measures of every augmentation as bars, the most invariant on top.

    Measured and published distances come from different networks, so each series is drawn in units of its
    largest value.

    Raises:
        UserError: If the file cannot be written.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(Measures._fields))
    for column, (axes, measure) in enumerate(zip(panels, Measures._fields, strict=True)):
        names = sorted(measured, key=lambda name: measured[name][column], reverse=True)
        at = np.arange(len(names))
        height = 0.38 if published else 0.76
        _bars(axes, at + (0.19 if published else 0), height, [measured[name][column] for name in names], BLUE)
        if published:
            _bars(axes, at - 0.19, height, [published[name][column] for name in names], ORANGE)
        axes.set_yticks(at, names)
        axes.set_xlabel(f"{measure}, share of the largest")
        axes.spines[["top", "right"]].set_visible(False)
    labels = ["measured", "published"] if published else ["measured"]
    figure.legend(panels[0].containers, labels, loc="outside lower center", ncols=2)
    with appearing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _bars(axes: Axes, at: np.ndarray, height: float, values: list[float], color: str) -> None:
    axes.barh(at, np.asarray(values) / (max(values) or 1.0), height, color=color)
