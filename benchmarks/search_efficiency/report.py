"""Tables and picture of a comparison of searches."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np

from benchmarks.search_efficiency import ratios
from benchmarks.search_efficiency.goals import REFERENCES, Reference, volumes
from benchmarks.search_efficiency.histories import Failure, Task
from benchmarks.search_efficiency.rows import OURS, RANDOM
from benchmarks.search_efficiency.simulator import Floats, History
from dcodr.tables import markdown_table

Unit = Literal["epochs", "clock"]
Searches = Mapping[Task, History]
Arrivals = Mapping[Task, tuple[float, float]]

MOST_LETTERS = 300
"""Letters of an error that are printed."""
PAIRS = 20
"""Fewest pairs of searches for which a p-value is printed."""
HEADER = ("search", "workers", "arrived", "median (quartiles)", "of random's", "of ours, paired", "p")


@dataclass(frozen=True)
class Costs:
    """Costs of searches until a goal, in epochs or on the clock.

    Attributes:
        spent: The costs by seed; those of searches that did not arrive are infinite.
        limit: The least that a search spends if it does not arrive.
    """

    spent: dict[int, float]
    limit: float

    @property
    def counted(self) -> Floats:
        """The costs, in which a search that did not arrive counts as the limit.

        On the clock, a search may arrive after the limit. Then the others count as the last one that arrived.
        """
        spent = np.array([*self.spent.values()])
        late = spent[spent < np.inf].max(initial=self.limit)
        return np.where(np.isinf(spent), late, spent)

    @property
    def arrived(self) -> int:
        """Number of searches that arrived."""
        return sum(cost < np.inf for cost in self.spent.values())

    @property
    def median(self) -> float:
        """The median, one of the costs."""
        return float(np.quantile(list(self.spent.values()), 0.5, method="nearest"))

    def of(self, other: "Costs") -> "Costs":
        """Return the costs of the seeds that another row has as well, by seed."""
        return Costs({seed: self.spent[seed] for seed in sorted({*self.spent} & {*other.spent})}, self.limit)


def costs(arrived: Arrivals, row: str, workers: int, unit: Unit, budget: int) -> Costs:
    """Return what the searches of a row cost that may train a budget of epochs."""
    spent = {}
    for task, (epochs, clock) in arrived.items():
        if (task.row, task.workers) == (row, workers):
            spent[task.seed] = np.inf if epochs > budget else epochs if unit == "epochs" else clock
    return Costs(spent, budget if unit == "epochs" else budget / workers)


def table(arrived: Arrivals, unit: Unit, budgets: Mapping[str, int]) -> str:
    """Return a table of what searches cost until a goal, in Markdown.

    Args:
        arrived: Epochs and clock at which each search reached the goal, the random ones among them; see
            :func:`benchmarks.search_efficiency.goals.arrival`.
        unit: What is counted.
        budgets: Epochs that a search may train, by row.
    """
    lines = []
    for workers in sorted({task.workers for task in arrived}):
        rows = dict.fromkeys(task.row for task in arrived if task.workers == workers)
        spent = {row: costs(arrived, row, workers, unit, budgets[row]) for row in rows}
        for row, own in spent.items():
            line = [row, str(workers), f"{own.arrived}/{len(own.spent)}", quartiles(own)]
            random, ours = spent.get(RANDOM), spent.get(OURS)
            if random is None or row == RANDOM:
                line.append("")
            else:
                ratio = ratios.of_medians(own.counted, random.counted)
                line.append(bounded(ratio, own.median == np.inf, random.median == np.inf))
            if ours is None or row == OURS or not own.of(ours).spent:
                lines.append([*line, "", ""])
                continue
            # Count ours only up to the row's budget: the row had no chance to go further.
            cut = costs(arrived, OURS, workers, unit, min(budgets[row], budgets[OURS]))
            mine, other = own.of(cut), cut.of(own)
            ratio = ratios.of_pairs(mine.counted, other.counted)
            line.append(bounded(ratio, *(of.arrived < len(of.spent) for of in (mine, other))))
            pairs = len(mine.spent)
            p = f"{ratios.p_value(mine.counted, other.counted):.2g}" if pairs >= PAIRS else f"n = {pairs}"
            lines.append([*line, p])
    return markdown_table(HEADER, lines)


def bounded(ratio: ratios.Ratio, above: bool, below: bool) -> str:
    """Return a ratio as text, and whether it is a lower or upper bound.

    Args:
        ratio: The ratio.
        above: Whether its numerator is the least that was spent.
        below: Whether its denominator is.
    """
    return {(True, False): ">", (False, True): "<", (True, True): "~"}.get((above, below), "") + str(ratio)


def quartiles(cost: Costs) -> str:
    """Return median and quartiles; one that falls on a search that did not arrive is a lower bound."""
    found = np.quantile(list(cost.spent.values()), (0.25, 0.5, 0.75), method="nearest")
    low, middle, high = (rounded(of) if of < np.inf else f">{rounded(cost.limit)}" for of in found)
    return f"{middle} ({low}-{high})"


def rounded(cost: float) -> str:
    """Return a cost as text, with three digits below 100."""
    return f"{cost:.3g}" if cost < 100 else f"{cost:.0f}"


def proposals(found: Searches) -> str:
    """Return a table of CPU milliseconds of a proposal in Markdown, means over the searches."""
    measured: dict[tuple[str, int], list[float]] = {}
    for task, history in found.items():
        if not np.isnan(history.proposal):
            measured.setdefault((task.row, task.workers), []).append(1000 * history.proposal)
    means = {key: float(np.mean(ms)) for key, ms in measured.items()}
    lines = [(row, str(n), f"{ms:.0f}" if ms >= 10 else f"{ms:.1f}") for (row, n), ms in means.items()]
    return markdown_table(("search", "workers", "CPU ms a proposal"), lines)


def breakdowns(results: Mapping[Task, History | Failure]) -> list[str]:
    """Return a line for every row and error of searches that broke down.

    Args:
        results: All searches. Those that broke down are in no table.
    """
    asked, failed = Counter(task.row for task in results), Counter[tuple[str, str]]()
    for task, result in results.items():
        if isinstance(result, Failure):
            failed[task.row, " ".join(result.error.split())[:MOST_LETTERS]] += 1
    return [f"{row} cannot run: {error} ({n} of {asked[row]} searches)" for (row, error), n in failed.items()]


def draw_picture(path: Path, found: Searches, best: Mapping[Reference, float], first: int, last: int) -> None:
    """Draw median hypervolume against epochs, one panel per number of workers and reference point.

    Args:
        path: File of the picture.
        found: All searches.
        best: Best known hypervolume from each reference point.
        first: Number of epochs on the left.
        last: Number of epochs on the right.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    workers = sorted({task.workers for task in found})
    shape = len(REFERENCES), len(workers)
    figure, axes = plt.subplots(*shape, figsize=(12, 7), sharex=True, sharey="row", squeeze=False)
    grid = np.geomspace(first, last, 60)
    for reference, line in zip(REFERENCES, axes, strict=True):
        for n, axis in zip(workers, line, strict=True):
            for row in dict.fromkeys(task.row for task in found if task.workers == n):
                of = [history for task, history in found.items() if (task.row, task.workers) == (row, n)]
                shares = [on_grid(history, reference, grid) / best[reference] for history in of]
                low, middle, high = np.quantile(shares, (0.25, 0.5, 0.75), axis=0)
                (drawn,) = axis.plot(grid, middle, label=row, linewidth=2.5 if row == OURS else 1.5)
                axis.fill_between(grid, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
            axis.set(xscale="log", ylim=(0.7 if reference == (0, 0) else 0.2, 1))
        line[0].set_ylabel(f"hypervolume from {reference},\nshare of the best known")
    for n, top, bottom in zip(workers, axes[0], axes[-1], strict=True):
        top.set_title(f"{n} worker{'s' * (n > 1)}")
        bottom.set_xlabel("epochs trained, all trials together")
    axes[-1][-1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def on_grid(history: History, reference: Reference, grid: Floats) -> Floats:
    """Return the hypervolume at given numbers of epochs; a finished search keeps its last value."""
    index = np.searchsorted(history.epochs, grid, side="right")
    return np.append(0.0, volumes(history.reached, reference))[index]
