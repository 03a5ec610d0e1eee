"""Analysis of a search: per objective, the importance of settings and the effect of every augmentation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcodr.errors import UserError
from dcodr.files import write_text
from dcodr.tables import csv_text
from dcodr.words import counted, option
from tuning.analysis.attribution import Attribution, MemberEffect, attribute
from tuning.analysis.evidence import FEWEST_TRIALS, NOT_ENOUGH, Estimate
from tuning.analysis.importance import Importance, importances
from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction
from tuning.results.results import Results
from tuning.space import Space
from tuning.space.params import SubsetParam


@dataclass(frozen=True)
class Analysis:
    """Analysis of one objective.

    Attributes:
        objective: Name of the objective.
        direction: Direction of the objective.
        trials: Number of complete trials that were analysed.
        importances: Importance of each setting.
        attribution: Effect of each member of the searched subset, among the trials whose method uses it;
            ``None`` if no subset is searched, or its effects cannot be estimated.
        no_attribution: The reason why the effects of a searched subset cannot be estimated; else ``None``.
    """

    objective: str
    direction: Direction
    trials: int
    importances: list[Importance]
    attribution: Attribution | None
    no_attribution: str | None = None

    def ranked(self) -> list[MemberEffect]:
        """Return the members by main effect, best for the objective first, those without one last."""
        members = self.attribution.members if self.attribution else []
        sign = 1 if self.direction == "maximize" else -1
        known = [(sign * member.main.mean, member) for member in members if member.main]
        known.sort(key=lambda item: item[0], reverse=True)
        return [member for _, member in known] + [member for member in members if not member.main]


def analyse(results: Results) -> list[Analysis]:
    """Analyse a search, objective by objective, from its trials of full budget.

    An objective that is the same in all trials is left out. So are infeasible, stopped and failed trials:
    their metrics do not judge their settings fairly.

    Raises:
        UserError: If there are too few complete trials, or all objectives are the same in all of them.
    """
    trials, space = results.complete, results.space
    if len(trials) < FEWEST_TRIALS:
        raise UserError(
            f"search {results.name!r} has {counted(len(trials), 'complete trial')}, an analysis needs "
            f"{FEWEST_TRIALS} at least: continue the search ({option('resume', True)}), with more trials"
        )
    varying = _varying(trials, space.objectives)
    if not varying:
        raise UserError(
            f"{' and '.join(space.objectives)} are the same in all {len(trials)} complete trials of search "
            f"{results.name!r}: no setting makes a difference that could be analysed"
        )
    attributions, no_attribution = _attributions(space, trials, varying)
    analyses = []
    for name in varying:
        direction = space.objectives[name]
        important = importances(space.params, trials, name, direction)
        attribution = attributions.get(name)
        analyses.append(Analysis(name, direction, len(trials), important, attribution, no_attribution))
    return analyses


def _varying(trials: Sequence[TrialRecord], objectives: Iterable[str]) -> list[str]:
    """Return the objectives that differ between trials."""
    return [name for name in objectives if len({trial.metrics[name] for trial in trials}) > 1]


def _attributions(
    space: Space, trials: Sequence[TrialRecord], objectives: Sequence[str]
) -> tuple[dict[str, Attribution], str | None]:
    """Return the effects of the searched subset on each objective, or the reason why there are none."""
    subsets = {key: param for key, param in space.params.items() if isinstance(param, SubsetParam)}
    if not subsets:
        return {}, None
    subset = next((key for key, param in subsets.items() if param.largest > 1), None)
    if subset is None:
        return {}, "in sets of one member none ever joins another"
    having = [trial for trial in trials if subset in trial.values]
    if len(having) < FEWEST_TRIALS:
        return {}, f"{NOT_ENOUGH}, {len(having)} of {FEWEST_TRIALS} have {subset}"
    reached = {name: [trial.metrics[name] for trial in having] for name in _varying(having, objectives)}
    if not reached:
        return {}, f"{' and '.join(objectives)} are the same in all trials that have {subset}"
    values = [trial.values for trial in having]
    return {name: attribute(space.params, subset, values, of) for name, of in reached.items()}, None


def write_tables(analyses: Sequence[Analysis], folder: Path) -> list[Path]:
    """Write ``importance.csv`` and, for an attribution, ``attribution.csv`` and ``interactions.csv``.

    A cell is empty where there are not enough trials. Return the files; existing ones are replaced.
    """
    support = ["trials", "trials_one_side", "trials_other_side"]
    importance = _write(
        folder / "importance.csv",
        ["objective", "setting", "member_of", *support, *_named("fanova"), *_named("ped_anova")],
        [
            (
                *(a.objective, i.name, i.of, i.trials, *(i.compared or (None, None))),
                *(*_cells(i.fanova), *_cells(i.ped_anova)),
            )
            for a in analyses
            for i in a.importances
        ],
    )
    attributed = [(a.objective, a.attribution) for a in analyses if a.attribution]
    if not attributed:
        return [importance]
    attribution = _write(
        folder / "attribution.csv",
        ["objective", "member", "trials_with", "trials_without", *_named("main"), *_named("shapley")],
        [
            (name, m.member, m.chosen, m.left_out, *_cells(m.main), *_cells(m.shapley))
            for name, attribution in attributed
            for m in attribution.members
        ],
    )
    support = ["trials_both", "trials_first", "trials_second", "trials_neither"]
    interactions = _write(
        folder / "interactions.csv",
        ["objective", "first", "second", *support, *_named("interaction")],
        [
            (
                *(name, p.first, p.second, p.both, p.only_first, p.only_second, p.neither),
                *_cells(p.interaction),
            )
            for name, attribution in attributed
            for p in attribution.pairs
        ],
    )
    return [importance, attribution, interactions]


def _named(figure: str) -> list[str]:
    return [figure, f"{figure}_low", f"{figure}_high"]


def _cells(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return [""] * 3
    return [f"{value:.6g}" for value in (estimate.mean, estimate.low, estimate.high)]


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    write_text(path, csv_text(header, rows))
    return path
