"""The report page of a search, rendered from a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcodr.config import dump_config
from dcodr.errors import UserError
from dcodr.files import write_text
from dcodr.html import data_uri, render_page
from tuning.analysis.analysis import Analysis, analyse
from tuning.ledger.trials import TrialRecord, kept_of
from tuning.report import analysis_text, bars, commands, facts, tables
from tuning.report.before_after import before_and_after
from tuning.report.chart import Chart, figure, number
from tuning.report.curves import curve_charts, hypervolume_chart
from tuning.report.front_chart import front_chart
from tuning.report.parallel import parallel_chart
from tuning.report.plane import MEANING
from tuning.results.answer import answer_text
from tuning.results.csv_tables import trials_csv
from tuning.results.export import provenance
from tuning.results.results import CONFIGS, Results

PICTURES = {
    "retrieval": "Queries and their nearest neighbours by code (embedding)",
    "reconstruction": "Images, their reconstructions, and reconstructions in other domains",
}
"""Captions of a trial's pictures, by their file names."""


@dataclass(frozen=True)
class Picture:
    """A picture of a trial, with its file as a data URI."""

    trial: str
    kind: str
    caption: str
    uri: str


@dataclass(frozen=True)
class Exported:
    """A config of the front: its trial's title, its file, whether the file exists, objectives, and text."""

    title: str
    file: str
    written: bool
    figures: str
    text: str


def write_report(results: Results, path: Path, analyses: Sequence[Analysis] = ()) -> None:
    """Write the page of a search that runs or has ended.

    Args:
        results: The results of the search.
        path: The file to write.
        analyses: Analyses of the results, if they were made before; else they are made here.

    Raises:
        UserError: If the file cannot be written.
    """
    write_text(path, render(results, analyses))


def render(results: Results, analyses: Sequence[Analysis] = ()) -> str:
    """Render the page of a search: HTML that needs no other file and no network."""
    content = _content(results, analyses)
    charts = [chart for group in content["charts"].values() for chart in group]
    drawn = [{"name": chart.name, "data": chart.data, "layout": chart.layout} for chart in charts]
    return render_page("tuning.report", "page", f"{results.name}: report of a search", drawn, **content)


def _content(results: Results, analyses: Sequence[Analysis]) -> dict[str, Any]:
    """Return the values of the template that differ between searches."""
    front = results.front
    importances, attributions, listed, why_not = _analysis(results, analyses)
    hypervolume, parallel = hypervolume_chart(results), parallel_chart(results)
    return {
        "name": results.name,
        "overview": facts.overview(results),
        "gain": tables.gain_table(results) if front else None,
        "answer": answer_text(results) if front else None,
        "differences": tables.answer_table(results) if front else None,
        "charts": {
            "front": [front_chart(results)] if front else [],
            "curves": curve_charts(results),
            "hypervolume": [hypervolume] if hypervolume else [],
            "parallel": [parallel] if parallel else [],
            "importances": importances,
            "attributions": attributions,
        },
        "before_after": [
            (caption, data_uri("image/png", path.read_bytes()))
            for caption, path in (before_and_after(results) if front else [])
        ],
        "meanings": [MEANING[name] for name in results.space.objectives if name in MEANING],
        "front": tables.front_table(results) if front else None,
        "analysis": listed,
        "why_not": why_not,
        "pictures": [picture for trial in front for picture in _pictures(results, trial)],
        "confirmed": tables.confirmed_table(results),
        "finals": tables.finals_table(results),
        "reasons": tables.reasons_table(results),
        "exported": [_exported(results, trial) for trial in front],
        "csv": data_uri("text/csv", trials_csv(results).encode()) if front else None,
        "commands": commands.commands(results),
        "caveat": commands.caveat(results),
        "space": commands.space_text(results),
    }


def _analysis(
    results: Results, analyses: Sequence[Analysis]
) -> tuple[list[Chart], list[Chart], list[Any], str | None]:
    """Return charts of importances and of effects, tables, and the reason if there are none."""
    alone = tables.subset_alone(results.space)
    if alone is not None:
        why_not = "Sets of one augmentation show neither effects nor interactions, only a ranking."
        return [], [], [tables.alone_table(results, alone)], why_not
    try:
        analyses = analyses or analyse(results)
    except UserError as error:
        return [], [], [], f"There is no analysis: {error}."
    listed = [analysis_text.importance_table(one) for one in analyses]
    listed += [table for one in analyses for table in analysis_text.effect_tables(one)]
    reason = analyses[0].no_attribution
    no_effects = None if reason is None else f"No effects of augmentations: {reason}."
    importances = bars.bar_charts("importance", bars.importance_bars(analyses))
    effects = bars.bar_charts("effects", bars.effect_bars(analyses))
    return importances, effects, listed, no_effects


def _pictures(results: Results, trial: TrialRecord) -> list[Picture]:
    """Return the existing pictures of a trial."""
    found = []
    for kind, caption in PICTURES.items():
        path = kept_of(results.folder, trial.number) / f"{kind}.png"
        if path.is_file():
            found.append(Picture(number(trial), kind, caption, data_uri("image/png", path.read_bytes())))
    return found


def _exported(results: Results, trial: TrialRecord) -> Exported:
    """Return a config from its file, or as ``export`` would write it."""
    path = results.folder / CONFIGS / results.config_file(trial)
    written = path.is_file()
    config = results.space.config(trial.values)
    text = path.read_text(encoding="utf-8") if written else dump_config(config, provenance(results, trial))
    reached = ", ".join(f"{name} {figure(value)}" for name, value in results.objectives(trial).items())
    marks = ", the best trade-off" if trial.number == results.knee.number else ""
    return Exported(f"Trial {number(trial)}{marks}", str(path), written, reached, text)
