"""Charts of importances and effects, as :mod:`tuning.analysis` computes them."""

from collections.abc import Sequence

from tuning.analysis.analysis import Analysis
from tuning.analysis.attribution import MemberEffect
from tuning.analysis.evidence import NOT_ENOUGH, Estimate
from tuning.analysis.importance import Importance
from tuning.report.analysis_text import interval
from tuning.report.chart import PALE, SIGNED, Chart, Spec, axis, layout, plain


def importance_charts(analyses: Sequence[Analysis]) -> list[Chart]:
    """Return bars of the importances for each objective, the largest on top."""
    return [_importance(i, analysis) for i, analysis in enumerate(analyses)]


def attribution_charts(analyses: Sequence[Analysis]) -> list[Chart]:
    """Return the effects of the augmentations with intervals for each objective, the best on top."""
    return [_effects(i, analysis) for i, analysis in enumerate(analyses) if analysis.attribution]


def _importance(i: int, analysis: Analysis) -> Chart:
    rows = analysis.importances
    names = [_told(row.short, row) for row in rows]
    data = [
        _bars("fANOVA", "--blue", names, [row.fanova for row in rows]),
        _bars("PED-ANOVA", "--orange", names, [row.ped_anova for row in rows]),
    ]
    told = [(row.name, row.fanova or row.ped_anova) for row in rows if not row.of]
    words = [f"{name} {share.mean:.2f}" if share else f"{name} {NOT_ENOUGH}" for name, share in told]
    alt = f"Share of importance for {analysis.objective}: {', '.join(words)}."
    y = axis("", autorange="reversed", tickmode="linear", ticksuffix="  ", type="category", showgrid=False)
    x = axis("share of importance", rangemode="tozero")
    frame = layout(x, y, barmode="group", bargap=0.25)
    return Chart(f"importance-{i}", analysis.objective, alt, data, frame, 130 + 28 * len(rows))


def _told(name: str, row: Importance | MemberEffect) -> str:
    """Return a name for an axis, with a note if there are too few trials."""
    figure = row.ped_anova if isinstance(row, Importance) else row.main
    return plain(name if figure else f"{name} ({NOT_ENOUGH})")


def _bars(name: str, color: str, names: Sequence[str], shares: Sequence[Estimate | None]) -> Spec:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(names),
        "x": [share and round(share.mean, 4) for share in shares],
        "error_x": _error_bars(shares, "--ink"),
        "marker": {"color": color},
        "hovertemplate": "%{y}: %{x:.2f}<extra>" + name + "</extra>",
    }


def _effects(i: int, analysis: Analysis) -> Chart:
    members = analysis.ranked()
    told = [member for member in members if member.main and member.shapley]  # the others come last
    names, known = (
        [_told(member.member, member) for member in members],
        [plain(member.member) for member in told],
    )
    data = [
        *_dots("main effect", "--blue", "circle", known, [member.main for member in told], -0.16),
        *_dots("Shapley value", "--orange", "diamond", known, [member.shapley for member in told], 0.16),
    ]
    y = axis("", tickmode="array", tickvals=list(range(len(names))), ticktext=names, ticksuffix="  ")
    y |= {"range": [len(names) - 0.5, -0.5], "zeroline": False, "showgrid": False}
    x = axis(f"change of {analysis.objective}", zerolinecolor="--ink", tickformat=SIGNED, nticks=7)
    means = [f"{member.member} {member.main.mean:+.3f}" for member in told if member.main]
    alt = f"Main effects on {analysis.objective}: {', '.join(means) or NOT_ENOUGH}."
    frame = layout(x, y, hovermode="closest")
    return Chart(f"effects-{i}", analysis.objective, alt, data, frame, 130 + 34 * max(len(names), 2))


def _dots(
    name: str,
    color: str,
    symbol: str,
    names: Sequence[str],
    estimates: Sequence[Estimate | None],
    shift: float,
) -> list[Spec]:
    """Return points with their intervals, and one without a place for the legend."""
    # The legend takes the opacity of a trace's first point, which may be pale: so it has a trace of its own.
    known = [estimate for estimate in estimates if estimate]
    shape = {"type": "scatter", "mode": "markers", "name": name, "legendgroup": name}
    legend = {**shape, "x": [None], "y": [None], "marker": {"color": color, "symbol": symbol, "size": 10}}
    points = {
        **shape,
        "showlegend": False,
        "x": [round(estimate.mean, 5) for estimate in known],
        "y": [row + shift for row in range(len(known))],
        "error_x": _error_bars(known, color),
        "marker": {
            "color": color,
            "symbol": symbol,
            "size": 10,
            "opacity": [1.0 if estimate.clear else PALE for estimate in known],
        },
        "text": [f"<b>{of}</b>, {name}<br>{interval(e)}" for of, e in zip(names, known, strict=True)],
        "hoverinfo": "text",
    }
    return [legend, points]


def _error_bars(estimates: Sequence[Estimate | None], color: str) -> Spec:
    """Return the intervals of points or bars."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [estimate and round(estimate.high - estimate.mean, 5) for estimate in estimates],
        "arrayminus": [estimate and round(estimate.mean - estimate.low, 5) for estimate in estimates],
        "color": color,
        "thickness": 1.5,
        "width": 3,
    }
