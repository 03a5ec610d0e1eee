"""An analysis on the terminal: tables, with explanations and numbers of trials."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcodr.words import counted
from tuning.analysis.analysis import Analysis
from tuning.analysis.attribution import Attribution
from tuning.analysis.evidence import NOT_ENOUGH, SUPPORT, Estimate
from tuning.analysis.importance import Importance, n_best

SHOWN_PAIRS = 10


def print_analysis(analyses: Sequence[Analysis], console: Console) -> None:
    """Print every objective's tables."""
    for analysis in analyses:
        title = f"{analysis.objective} (to {analysis.direction}), {analysis.trials} complete trials"
        console.rule(Text(title, "bold"), align="left")
        _print_importances(analysis, console)
        if analysis.attribution:
            _print_members(analysis.attribution, analysis, console)
            _print_pairs(analysis.attribution, console)
        elif analysis.no_attribution:
            _say(console, f"No effects of augmentations: {analysis.no_attribution}.\n")


def _print_importances(analysis: Analysis, console: Console) -> None:
    table = _table("setting", "trials\ncompared", "fANOVA", "PED-ANOVA")
    for row in analysis.importances:
        name = row.name if row.of is None else "  " + row.name.removeprefix(f"{row.of}.")
        table.add_row(Text(name), *importance_cells(row), style="dim" if row.of else "")
    console.print(table)
    _say(
        console,
        f"Share of the variance of {analysis.objective} that each setting accounts for alone (fANOVA), and "
        f"its share in the separation of the best {n_best(analysis.trials)} trials (PED-ANOVA), with 95 % "
        "intervals. Shares sum to 1 even if nothing matters. The comparison is of trials with and without an "
        f"augmentation, or with higher and lower values of a number; {SUPPORT} on each side are enough.",
    )
    missing = [row.name for row in analysis.importances if row.ped_anova and not row.fanova]
    if missing:
        _say(console, f"fANOVA leaves out settings that only some trials have: {', '.join(missing)}.")
    console.print()


def importance_cells(row: Importance) -> tuple[str, str, str]:
    """Return the texts of a row: trials compared, fANOVA and PED-ANOVA."""
    compared = str(row.trials) if row.compared is None else "/".join(map(str, row.compared))
    if row.ped_anova is None:
        return compared, NOT_ENOUGH, "-"
    return compared, _share(row.fanova) if row.fanova else "-", _share(row.ped_anova)


def _share(estimate: Estimate) -> str:
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _print_members(attribution: Attribution, analysis: Analysis, console: Console) -> None:
    table = _table("augmentation", "with/\nwithout", "main effect", "Shapley value")
    for member in analysis.ranked():
        if member.main is None or member.shapley is None:
            figures = (Text(NOT_ENOUGH, "dim"), Text("-", "dim"))
        else:
            figures = (_interval(member.main), _interval(member.shapley))
        table.add_row(Text(member.member), f"{member.chosen}/{member.left_out}", *figures)
    console.print(table)
    _say(
        console,
        f"Change of {analysis.objective} when the augmentation joins the set: averaged over the sets tried "
        "(main effect), and over sets of every size (Shapley value), with 95 % credible intervals; "
        "bold where they exclude 0.",
    )
    share = f"{attribution.explained:.0%}" if attribution.explained > 0 else "none"
    advice = "" if attribution.explained > 0 else " More trials are needed before these effects mean much."
    _say(console, f"The model predicts {share} of the variance between trials it was not fitted to.{advice}")
    console.print()


def _print_pairs(attribution: Attribution, console: Console) -> None:
    told = [(pair, pair.interaction) for pair in attribution.pairs if pair.interaction]
    clear = [(pair, estimate) for pair, estimate in told if estimate.clear]
    clear.sort(key=lambda item: abs(item[1].mean), reverse=True)
    if clear:
        table = _table("pair", "both", "one", "neither", "interaction")
        for pair, estimate in clear[:SHOWN_PAIRS]:
            one = str(pair.only_first + pair.only_second)
            names = Text(f"{pair.first} + {pair.second}")
            table.add_row(names, str(pair.both), one, str(pair.neither), _interval(estimate))
        console.print(table)
        _say(console, "The additional change of the objective by one member if the other is in the set too.")
    pairs = counted(len(attribution.pairs), "pair")
    enough = f"{len(told)} of {pairs} have enough trials ({SUPPORT} of each kind)"
    _say(
        console, f"{enough}; the interaction of {len(clear) or 'none'} is clear of 0. All: interactions.csv."
    )
    console.print()


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="bold")
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i else "left", no_wrap=True)
    return table


def _interval(estimate: Estimate) -> Text:
    text = f"{estimate.mean:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
    return Text(text, "bold" if estimate.clear else "")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
