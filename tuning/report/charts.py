"""All charts of a search's page, by name, and the places where the page shows them."""

from collections.abc import Sequence
from typing import Any

from tuning.analysis.analysis import Analysis
from tuning.report import bars
from tuning.report.chart import Chart
from tuning.report.curves import curve_charts, hypervolume_chart
from tuning.report.front_chart import front_chart
from tuning.report.matrix import matrix_chart
from tuning.report.parallel import leaves, parallel_chart
from tuning.report.slices import slices
from tuning.report.timeline import timeline_chart
from tuning.results.results import Results


def charts(results: Results, analyses: Sequence[Analysis]) -> list[Chart]:
    """Draw all charts that the results allow; their names are those of :func:`places`."""
    single = [front_chart, matrix_chart, parallel_chart, hypervolume_chart, timeline_chart]
    drawn = [chart for draw in single if (chart := draw(results)) is not None]
    drawn += curve_charts(results)
    drawn += [chart for one in slices(results) for chart in one]
    drawn += bars.bar_charts("importance", bars.importance_bars(analyses))
    return drawn + bars.bar_charts("effects", bars.effect_bars(analyses))


def places(results: Results) -> dict[str, Any]:
    """Return the names of all charts that a search may have, by their place in the page."""
    objectives = list(results.space.objectives)
    settings = range(len(leaves(results.space)))
    numbered = {
        kind: [f"{kind}-{i}" for i in range(len(objectives))] for kind in ("curve", "importance", "effects")
    }
    slices_of = {name: [f"slice-{i}-{j}" for j in settings] for i, name in enumerate(objectives)}
    return {**numbered, "slices": slices_of}
