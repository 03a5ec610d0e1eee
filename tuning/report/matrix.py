"""Chart of trials by augmentations: the members of every trial's set."""

from collections import Counter

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, layout, number, plain
from tuning.results.results import Results
from tuning.space.params import SubsetParam

COLUMN, ROW = 14, 24
"""Least width of a trial's column, and height of an augmentation's row, in pixels."""
SHADES = {
    "not in the set": "--card",
    "infeasible or failed": "--ink",
    "cut off": "--blue-pale",
    "running": "--blue-pale",
    "stopped early": "--faint",
    "not confirmed": "--mid",
    "other trials": "--grey",
    "front": "--blue",
    "best trade-off": "--orange",
}
"""Meaning and colour of a cell, by its value from 0 on."""


def matrix_chart(results: Results) -> Chart | None:
    """Draw a cell for each trial and augmentation, the best trials on the left; ``None`` without any."""
    found = [(key, param) for key, param in results.space.params.items() if isinstance(param, SubsetParam)]
    if not found:
        return None
    (key, param), *_ = found
    trials = [trial for trial in by_rank(results) if trial.metrics and key in trial.values]
    if not trials:
        return None
    kinds = [*SHADES]
    shades = [kinds.index(_kind(results, trial)) for trial in trials]
    data: Spec = {
        "type": "heatmap",
        "x": [number(trial) for trial in trials],
        "y": [plain(member) for member in param.members],
        "z": [
            [shade if member in trial.values[key] else 0 for trial, shade in zip(trials, shades, strict=True)]
            for member in param.members
        ],
        "customdata": [[trial.number for trial in trials] for _ in param.members],
        "zmin": -0.5,
        "zmax": len(SHADES) - 0.5,
        "colorscale": _steps(list(SHADES.values())),
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "trial %{x}: %{y}<extra></extra>",
    }
    x = axis(
        "trial, the best on the left",
        type="category",
        tickangle=-90,
        showgrid=False,
        dtick=1,
        tickfont={"size": 10},
    )
    y = axis("", type="category", autorange="reversed", showgrid=False, ticksuffix="  ", dtick=1)
    legend = [_legend(kinds[shade], SHADES[kinds[shade]]) for shade in sorted({*shades}, reverse=True)]
    size = f"{counted(len(trials), 'trial')} by {counted(len(param.members), 'augmentation')}"
    alt = f"{size}. {_shares(results, key)}"
    width = 180 + COLUMN * len(trials)
    rows: list[list[object]] = [["trial", *param.members]]
    rows += [[t.number, *(int(member in t.values[key]) for member in param.members)] for t in trials]
    return Chart(
        "matrix",
        "Augmentations of every trial",
        alt,
        [data, *legend],
        layout(x, y),
        150 + ROW * len(param.members),
        width,
        rows,
    )


def by_rank(results: Results) -> list[TrialRecord]:
    """Return the trials of a search: the best trade-off, the front, other complete trials, then the rest."""
    best = results.best_tradeoff.number if results.front else None
    order = {"complete": 0, "pruned": 1, "running": 2}

    def place(trial: TrialRecord) -> tuple[int, int, bool, int]:
        rank = results.ranks.get(trial.number, len(results.trials) + 1)
        return order.get(trial.status, 3), rank, trial.number != best, trial.number

    return sorted(results.trials, key=place)


def _kind(results: Results, trial: TrialRecord) -> str:
    """Return the kind of a trial, a key of ``SHADES``."""
    if results.front and trial.number == results.best_tradeoff.number:
        return "best trade-off"
    unfinished = {"pruned": "stopped early", "running": "running" if results.driven else "cut off"}
    return results.group_of.get(trial.number, unfinished.get(trial.status, "infeasible or failed"))


def _legend(name: str, color: str) -> Spec:
    """Return a trace without points, for a square in the legend."""
    square = {"symbol": "square", "size": 11, "color": color}
    return {"type": "scatter", "mode": "markers", "name": name, "x": [None], "y": [None], "marker": square}


def _steps(colors: list[str]) -> list[list[float | str]]:
    """Return a scale of equal steps, each of one colour."""
    n = len(colors)
    return [[end, color] for i, color in enumerate(colors) for end in (i / n, (i + 1) / n)]


def _shares(results: Results, key: str) -> str:
    """Return how often each augmentation is in the sets of the front."""
    sets = [trial.values[key] for trial in results.front if key in trial.values]
    counts = Counter(member for chosen in sets for member in chosen)
    told = [f"{member} {n}" for member, n in counts.most_common()]
    return f"Of {len(sets)} on the front, with: {', '.join(told)}." if told else "There is no front yet."
