"""The page of a search, rendered from a template: a file to keep, or a live page that a server updates."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcodr.files import write_text
from dcodr.html import data_uri, page_template, render_blocks, render_page
from tuning.analysis.analysis import Analysis
from tuning.report.chart import axis, layout
from tuning.report.charts import charts
from tuning.report.content import Analysed, analysed, content
from tuning.report.details import curves, details, embedded, served, shown_already
from tuning.report.matrix import by_rank
from tuning.results.csv_tables import trials_csv
from tuning.results.results import Results

MOST_DETAILS = 500
"""Most trials whose details a page that stands alone holds, the best first."""


def write_page(results: Results, path: Path, analyses: Sequence[Analysis] = ()) -> None:
    """Write the page of a search that runs or has ended; analyse it if no analyses are given.

    Raises:
        UserError: If the file cannot be written.
    """
    write_text(path, render(results, analyses))


def render(results: Results, analyses: Sequence[Analysis] = ()) -> str:
    """Render the page of a search: HTML that needs no other file and no network."""
    analysis = Analysed(analyses) if analyses else analysed(results)
    shown = {trial.number for trial, _ in results.compared}
    data = drawn(results, analysis)
    data["details"] = {
        trial.number: details(results, trial, shown_already if trial.number in shown else None)
        for trial in by_rank(results)[:MOST_DETAILS]
    }
    csv = data_uri("text/csv", trials_csv(results).encode())
    return _page(content(results, analysis, embedded), data, live=False, csv=csv)


def render_live(results: Results, analysis: Analysed, data: dict[str, Any], problem: str | None) -> str:
    """Render the page of a search that asks its server for news; ``data`` has a ``version``."""
    return _page(content(results, analysis, served), data, live=True, problem=problem)


def drawn(results: Results, analysis: Analysed) -> dict[str, Any]:
    """Return all that the page's script draws, as JSON values."""
    epochs = axis("epoch", dtick=max(1, results.space.base.epochs // 8))
    serve = ["python", "-m", "tuning", "ui"]
    return {
        "name": results.name,
        "serve": shlex.join([*serve, results.name, "--storage", str(results.folder.parent)]),
        "objectives": list(results.space.objectives),
        "charts": {chart.name: vars(chart) for chart in charts(results, analysis.analyses)},
        "curves": curves(results),
        "frame": layout(epochs, axis(""), showlegend=False),
    }


def blocks(results: Results, analysis: Analysed) -> dict[str, str]:
    """Return the parts of the page that change, as HTML by name."""
    template = page_template("tuning.report", "page.html")
    return render_blocks(template, template.blocks, **content(results, analysis, served), problem=None)


def problem_block(problem: str) -> str:
    """Return the part of the page that tells a problem, as HTML."""
    return render_blocks(page_template("tuning.report", "page.html"), ["problem"], problem=problem)["problem"]


def _page(
    values: dict[str, Any], data: dict[str, Any], *, live: bool, csv: str = "", problem: str | None = None
) -> str:
    title = f"{values['name']}: a search"
    data = {**data, "live": live}
    more = {**values, "csv": csv, "problem": problem}
    return render_page("tuning.report", "page", title, data, scripts=("draw", "table"), live=live, **more)
