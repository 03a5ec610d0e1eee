"""Texts and tables of a search's page."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dcodr.config import dump_config
from dcodr.errors import UserError
from tuning.analysis.analysis import Analysis, analyse
from tuning.ledger.trials import TrialRecord
from tuning.report import analysis_text, commands, facts, tables
from tuning.report.before_after import RETRIEVAL, before_and_after
from tuning.report.chart import number, reached
from tuning.report.charts import places
from tuning.report.details import Address, pictures
from tuning.report.plane import MEANING
from tuning.report.trials_table import trials_table
from tuning.results.answer import answer_text
from tuning.results.export import provenance
from tuning.results.results import CONFIGS, Results


@dataclass(frozen=True)
class Analysed:
    """The analyses of a search, one for each objective, or the reason why they are missing."""

    analyses: Sequence[Analysis] = ()
    missing: str | None = None


def analysed(results: Results) -> Analysed:
    """Analyse a search, which takes seconds, or give the reason why there is no analysis."""
    if tables.subset_alone(results.space) is not None:
        reason = "Sets of one augmentation show neither effects nor interactions, only a ranking."
        return Analysed((), reason)
    try:
        return Analysed(analyse(results))
    except UserError as error:
        return Analysed((), f"There is no analysis: {error}.")


@dataclass(frozen=True)
class Exported:
    """A config of the front: its trial's title, its file, whether the file exists, objectives, and text."""

    title: str
    file: str
    written: bool
    metrics: str
    text: str


def content(results: Results, analysis: Analysed, address: Address) -> dict[str, Any]:
    """Return the values of the page's template that differ between searches."""
    front = results.front
    return {
        "name": results.name,
        "state": facts.state(results),
        "minute": facts.minute,
        "now": time.time(),
        "overview": facts.overview(results),
        "gain": tables.gain_table(results) if front else None,
        "answer": answer_text(results) if front else None,
        "differences": tables.answer_table(results) if front else None,
        "before_after": [
            (caption, address(results, trial, RETRIEVAL)) for caption, trial in before_and_after(results)
        ],
        "pictures": [one for trial, _ in results.compared for one in pictures(results, trial, address)],
        "meanings": [MEANING[name] for name in results.space.objectives if name in MEANING],
        "front": tables.front_table(results) if front else None,
        "trials": trials_table(results),
        "places": places(results),
        **_analysis(results, analysis),
        "confirmed": tables.confirmed_table(results),
        "finals": tables.finals_table(results),
        "reasons": tables.reasons_table(results),
        "exported": [_exported(results, trial) for trial in front],
        "commands": commands.commands(results),
        "caveat": commands.caveat(results),
        "space": commands.space_text(results),
    }


def _analysis(results: Results, analysis: Analysed) -> dict[str, Any]:
    """Return the tables of an analysis, and the reason why a part is missing."""
    listed = [analysis_text.importance_table(one) for one in analysis.analyses]
    listed += [table for one in analysis.analyses for table in analysis_text.effect_tables(one)]
    alone = tables.subset_alone(results.space)
    if alone is not None:
        listed.append(tables.alone_table(results, alone))
    reason = analysis.missing
    if analysis.analyses and (no_effects := analysis.analyses[0].no_attribution) is not None:
        reason = f"No effects of augmentations: {no_effects}."
    return {"analysis": listed, "has_importances": bool(analysis.analyses), "why_not": reason}


def _exported(results: Results, trial: TrialRecord) -> Exported:
    """Return a config from its file, or as ``export`` would write it."""
    path = results.folder / CONFIGS / results.config_file(trial)
    try:
        text, written = path.read_text(encoding="utf-8"), True
    except (OSError, UnicodeDecodeError):  # missing or damaged
        config = results.space.config(trial.values)
        text, written = dump_config(config, provenance(results, trial)), False
    marks = ", the best trade-off" if trial.number == results.best_tradeoff.number else ""
    metrics = reached(results.objectives(trial))
    return Exported(f"Trial {number(trial)}{marks}", str(path), written, metrics, text)
