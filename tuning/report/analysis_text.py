"""An analysis in tables, with explanations on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from dcodr.words import counted
from tuning.analysis.analysis import Analysis
from tuning.analysis.attribution import Attribution
from tuning.analysis.evidence import NOT_ENOUGH, SUPPORT, Estimate
from tuning.analysis.importance import Importance, n_best
from tuning.report.text_table import TextTable

SHOWN_PAIRS = 10


def importance_table(analysis: Analysis) -> TextTable:
    """Return the shares of importance."""
    return TextTable(
        f"Share of importance for {analysis.objective}, {analysis.trials} trials, with 95 % intervals",
        ("setting", "trials\ncompared", "fANOVA", "PED-ANOVA"),
        [(row.short, *_importance(row)) for row in analysis.importances],
    )


def effect_tables(analysis: Analysis) -> list[TextTable]:
    """Return the effects of the augmentations, and their interactions that are clear of 0."""
    if not analysis.attribution:
        return []
    clear, pairs = analysis.attribution.clear_pairs(), len(analysis.attribution.pairs)
    told = sum(pair.interaction is not None for pair in analysis.attribution.pairs)
    return [
        TextTable(
            f"Effects of the augmentations on {analysis.objective}, with 95 % credible intervals "
            "(*: excludes 0)",
            ("augmentation", "with/\nwithout", "main effect", "Shapley value"),
            [
                (m.member, f"{m.chosen}/{m.left_out}", _interval(m.main), _interval(m.shapley))
                for m in analysis.ranked()
            ],
        ),
        TextTable(
            f"Interactions on {analysis.objective}: {told} of {counted(pairs, 'pair')} have at least "
            f"{SUPPORT} trials of each kind; {_excluding(len(clear))} 0",
            ("pair", "both", "one", "neither", "interaction"),
            [
                (
                    f"{pair.first} + {pair.second}",
                    str(pair.both),
                    str(pair.only_first + pair.only_second),
                    str(pair.neither),
                    _interval(pair.interaction),
                )
                for pair in clear[:SHOWN_PAIRS]
            ],
        ),
    ]


def print_analysis(analyses: Sequence[Analysis], console: Console) -> None:
    """Print every objective's tables."""
    for analysis in analyses:
        title = f"{analysis.objective} (to {analysis.direction}), {analysis.trials} complete trials"
        console.rule(Text(title, "bold"), align="left")
        _print(console, importance_table(analysis), _about_importances(analysis))
        if analysis.attribution:
            members, pairs = effect_tables(analysis)
            _print(console, members, _about_members(analysis, analysis.attribution))
            _print(
                console,
                pairs,
                "The additional change of the objective by one member if the other is in the set too. "
                "All: interactions.csv.",
            )
        elif analysis.no_attribution:
            _say(console, f"No effects of augmentations: {analysis.no_attribution}.\n")


def _importance(row: Importance) -> tuple[str, str, str]:
    """Return the cells of a row: trials compared, fANOVA and PED-ANOVA."""
    compared = str(row.trials) if row.compared is None else "/".join(map(str, row.compared))
    if row.ped_anova is None:
        return compared, NOT_ENOUGH, "-"
    return compared, _share(row.fanova) if row.fanova else "-", _share(row.ped_anova)


def _share(estimate: Estimate) -> str:
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _excluding(intervals: int) -> str:
    if intervals < 2:
        return f"{'one' if intervals else 'no'} interval excludes"
    return f"{intervals} intervals exclude"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return NOT_ENOUGH
    star = "*" if estimate.clear else ""
    return f"{star}{estimate.mean:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _about_importances(analysis: Analysis) -> str:
    missing = [row.name for row in analysis.importances if row.ped_anova and not row.fanova]
    left_out = f" fANOVA leaves out settings that only some trials have: {', '.join(missing)}."
    return (
        f"Share of the variance of {analysis.objective} that each setting accounts for alone (fANOVA), and "
        f"its share in the separation of the best {n_best(analysis.trials)} trials (PED-ANOVA). Shares sum "
        "to 1 even if nothing matters. The comparison is of trials with and without an augmentation, or with "
        f"higher and lower values of a number; {SUPPORT} on each side are enough."
        f"{left_out if missing else ''}"
    )


def _about_members(analysis: Analysis, attribution: Attribution) -> str:
    share = f"{attribution.explained:.0%}" if attribution.explained > 0 else "none"
    advice = "" if attribution.explained > 0 else " More trials are needed before these effects mean much."
    return (
        f"Change of {analysis.objective} when the augmentation joins the set: averaged over the sets tried "
        "(main effect), and over sets of every size (Shapley value). The model predicts "
        f"{share} of the variance between trials it was not fitted to.{advice}"
    )


def _print(console: Console, table: TextTable, explanation: str) -> None:
    _say(console, f"{table.caption}:")
    if table.rows:
        console.print(table.rich(console))
    _say(console, f"{explanation}\n")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
