"""Pictures of an analysis, with one panel for each objective."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from dcodr.files import appearing
from dcodr.palette import BLUE, GREY, ORANGE
from tuning.analysis.analysis import Analysis
from tuning.analysis.attribution import Attribution
from tuning.analysis.evidence import NOT_ENOUGH
from tuning.report.bars import PALE, Bars, effect_bars, importance_bars


def draw_pictures(analyses: Sequence[Analysis], folder: Path) -> list[Path]:
    """Draw ``importance.png`` and, for an attribution, ``attribution.png`` and ``interactions.png``.

    Return the files; existing ones are replaced.
    """
    pictures = {"importance.png": _bars(importance_bars(analyses))}
    attributions = [(a.objective, a.attribution) for a in analyses if a.attribution]
    if attributions:
        pictures["attribution.png"] = _bars(effect_bars(analyses))
        pictures["interactions.png"] = _interactions(attributions)
    paths = []
    for name, figure in pictures.items():
        with appearing(folder / name) as temporary:
            figure.savefig(temporary, format="png", dpi=150)
        paths.append(folder / name)
    return paths


def _bars(panels: Sequence[Bars]) -> Figure:
    """Draw bars with intervals, each panel in its own order."""
    figure, all_axes = _panels(len(panels), width=5.6, height=1.6 + 0.35 * len(panels[0].rows))
    for axes, bars in zip(all_axes, panels, strict=True):
        for shift, color, (name, estimates) in zip(
            (-0.19, 0.19), (BLUE, ORANGE), bars.series.items(), strict=True
        ):
            for y, estimate in enumerate(estimates):
                if estimate:
                    alpha = 1.0 if estimate.clear else PALE
                    axes.barh(y + shift, estimate.mean, 0.36, color=color, alpha=alpha)
                    interval = [estimate.low, estimate.high]
                    axes.plot(interval, [y + shift] * 2, color="#303030", linewidth=1.1)
            axes.barh(0, 0, color=color, label=name)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(bars.rows)), bars.rows, fontsize=8)
        axes.set_title(bars.title, loc="left", fontweight="bold")
        axes.set(xlabel=bars.unit, ylim=(len(bars.rows) - 0.5, -0.5))
        axes.grid(axis="x", color="#E0E0E0", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    note = "bars pale where the 95 % interval contains 0"
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, title=note, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _interactions(attributions: Sequence[tuple[str, Attribution]]) -> Figure:
    """Draw heat maps, with numbers for the interactions that are clear of 0."""
    names = [member.member for member in attributions[0][1].members]
    size = 2.4 + 0.42 * len(names)
    figure, panels = _panels(len(attributions), width=size, height=size, share_y=True)
    for axes, (objective, attribution) in zip(panels, attributions, strict=True):
        grid = np.full((len(names), len(names)), np.nan)
        opacity = np.ones_like(grid)
        for pair in attribution.pairs:
            if pair.interaction:
                cell = names.index(pair.second), names.index(pair.first)
                grid[cell] = pair.interaction.mean
                opacity[cell] = 1.0 if pair.interaction.clear else PALE
        limit = float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 1.0
        norm = TwoSlopeNorm(0, -limit, limit)
        image = axes.imshow(grid, cmap="PuOr", norm=norm, alpha=opacity, aspect="auto")
        for pair in attribution.pairs:
            x, y = names.index(pair.first), names.index(pair.second)
            if pair.interaction is None:
                axes.text(x, y, "x", ha="center", va="center", fontsize=7, color="#B0B0B0")
            elif pair.interaction.clear:
                color = "white" if abs(pair.interaction.mean) > 0.6 * limit else "black"
                text = f"{pair.interaction.mean:+.2f}"
                axes.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
        axes.set_xticks(range(len(names) - 1), names[:-1], rotation=90)
        axes.set_yticks(range(1, len(names)), names[1:])
        axes.set(xlim=(-0.5, len(names) - 1.5), ylim=(len(names) - 0.5, 0.5))
        axes.set_title(objective, loc="left", fontweight="bold")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, shrink=0.6, label="interaction")
    note = "pale: the 95 % interval contains 0     x: " + NOT_ENOUGH
    figure.supxlabel(note, fontsize=10, color=GREY)
    return figure


def _panels(n: int, width: float, height: float, share_y: bool = False) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * n, height), layout="constrained")
    return figure, list(figure.subplots(1, n, squeeze=False, sharey=share_y)[0])
