"""Importances and effects as bars with their intervals, for the page and for pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.analysis.analysis import Analysis
from tuning.analysis.evidence import NOT_ENOUGH, Estimate
from tuning.report.chart import SIGNED, Chart, Spec, axis, layout, plain

PALE = 0.4
"""Opacity of estimates that may be 0: their interval contains 0."""


@dataclass(frozen=True)
class Bars:
    """Estimates for one objective, in rows from top to bottom.

    Attributes:
        objective: The objective.
        trials: The number of trials.
        unit: The meaning of a bar's length.
        rows: Name of each row.
        series: By name, an estimate for each row; ``None`` if there are not enough trials.
        signed: Whether the estimates are changes, in both directions.
    """

    objective: str
    trials: int
    unit: str
    rows: Sequence[str]
    series: Mapping[str, Sequence[Estimate | None]]
    signed: bool

    @property
    def title(self) -> str:
        """The objective and the number of trials."""
        return f"{self.objective}, {self.trials} trials"


def importance_bars(analyses: Sequence[Analysis]) -> list[Bars]:
    """Return the importances for each objective, the largest on top."""
    return [
        Bars(
            one.objective,
            one.trials,
            f"share of importance for {one.objective}",
            [row.short if row.ped_anova else f"{row.short} ({NOT_ENOUGH})" for row in one.importances],
            {
                "fANOVA": [row.fanova for row in one.importances],
                "PED-ANOVA": [row.ped_anova for row in one.importances],
            },
            signed=False,
        )
        for one in analyses
    ]


def effect_bars(analyses: Sequence[Analysis]) -> list[Bars]:
    """Return the effects of the augmentations for each objective, the best on top."""
    return [
        Bars(
            one.objective,
            one.trials,
            f"change of {one.objective}",
            [
                f"{m.member} ({f'{m.chosen} with, {m.left_out} without' if m.main else NOT_ENOUGH})"
                for m in one.ranked()
            ],
            {
                "main effect": [member.main for member in one.ranked()],
                "Shapley value": [member.shapley for member in one.ranked()],
            },
            signed=True,
        )
        for one in analyses
        if one.attribution
    ]


def bar_charts(name: str, panels: Sequence[Bars]) -> list[Chart]:
    """Return a chart for each objective; ``name`` begins its id in the page."""
    return [_chart(f"{name}-{i}", bars) for i, bars in enumerate(panels)]


def _chart(name: str, bars: Bars) -> Chart:
    data = []
    for color, (series, estimates) in zip(("--blue", "--orange"), bars.series.items(), strict=True):
        data += _series(bars, series, estimates, color)
    told = next(iter(bars.series.values()))
    means = [f"{row}: {e.mean:.3f}" if e else row for row, e in zip(bars.rows, told, strict=True)]
    y = axis("", autorange="reversed", tickmode="linear", ticksuffix="  ", type="category", showgrid=False)
    ticks = {"tickformat": SIGNED, "nticks": 7} if bars.signed else {"rangemode": "tozero"}
    frame = layout(axis(bars.unit, zerolinecolor="--ink", **ticks), y, barmode="group", bargap=0.25)
    alt = f"{bars.unit}, of {bars.trials} trials: {', '.join(means)}."
    rows: list[list[object]] = [["series", "row", "mean", "low", "high"]]
    for series, estimates in bars.series.items():
        known = [(row, e) for row, e in zip(bars.rows, estimates, strict=True) if e]
        rows += [[series, row, e.mean, e.low, e.high] for row, e in known]
    return Chart(name, bars.title, alt, data, frame, 130 + 34 * max(len(bars.rows), 2), rows=rows)


def _series(bars: Bars, name: str, estimates: Sequence[Estimate | None], color: str) -> list[Spec]:
    """Return a series of bars with their intervals, and one without a place for the legend."""
    # The legend takes the opacity of a trace's first bar, which may be pale: so it has a trace of its own.
    shape = {"type": "bar", "orientation": "h", "name": name, "legendgroup": name, "offsetgroup": name}
    legend = {**shape, "x": [None], "y": [plain(bars.rows[0])], "marker": {"color": color}}
    rows = {
        **shape,
        "showlegend": False,
        "y": [plain(row) for row in bars.rows],
        "x": [estimate and round(estimate.mean, 5) for estimate in estimates],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [estimate and round(estimate.high - estimate.mean, 5) for estimate in estimates],
            "arrayminus": [estimate and round(estimate.mean - estimate.low, 5) for estimate in estimates],
            "color": "--ink",
            "thickness": 1.5,
            "width": 3,
        },
        "marker": {"color": color, "opacity": [PALE if e and not e.clear else 1.0 for e in estimates]},
        "hovertemplate": f"%{{y}}<br>{name}: %{{x:.3f}}<extra></extra>",
    }
    return [legend, rows]
