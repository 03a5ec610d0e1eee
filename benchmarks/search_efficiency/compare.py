"""Simulate the number of training epochs that searches need, as a table and a picture.

    python -m benchmarks.search_efficiency.compare --seeds 30

Every row searches ``space.yaml`` on the surrogate of its record, with 1, 8 and 64 workers. A search has
arrived when its complete trials dominate 95 % of the best known hypervolume, without noise.
"""

import argparse
import logging
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import optuna
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from benchmarks.search_efficiency.simulator import History, Ours, RayStock, Strategy, simulate
from benchmarks.search_efficiency.surrogate import SPACE, Surrogate, cross_validated, read_record
from tuning.ledger.encoding import decode
from tuning.pareto import hypervolume, non_dominated
from tuning.sampling.points import Point, Points
from tuning.space import Space, load_space
from tuning.space.settings import SearchSettings

PICTURE = Path(__file__).parents[2] / "docs" / "search_efficiency.png"
WORKERS = (1, 8, 64)
GOAL = 0.95
EPOCH_BUDGET = 800
"""Number of epochs after which a search that has not arrived is ended."""

CAPTION = "median (quartiles), the median as a share of random search's"

ROWS: dict[str, dict[str, Any] | None] = {
    "ours": {},
    "random": {"sampler": "random", "scheduler": None, "warm_start": {"paper": False}},
    "TPE, no early stopping": {"sampler": "tpe", "scheduler": None, "warm_start": {"paper": False}},
    "NSGA-II": {"sampler": "nsga2", "scheduler": None, "warm_start": {"paper": False}},
    "Ray's ASHA, OptunaSearch": None,
}
"""Changes of each row to the settings of ``space.yaml``; ``None`` is Ray's own, on the objectives' sum."""


@dataclass(frozen=True)
class Task:
    """One simulated search."""

    row: str
    workers: int
    seed: int


def strategy(row: str, space: Space, seed: int) -> Strategy:
    """Return the strategy of a row."""
    change = ROWS[row]
    if change is None:
        return RayStock(space, seed)
    settings = {**space.search.model_dump(), "trials": EPOCH_BUDGET, **change}
    return Ours(space.model_copy(update={"search": SearchSettings.model_validate(settings)}), seed)


def best_known(surrogate: Surrogate, space: Space, seed: int = 0) -> float:
    """Return the largest hypervolume found without noise, from random points, then changes of the best."""
    rng = np.random.default_rng(seed)
    directions, drawn = list(space.objectives.values()), Points(space.params)

    def reached_by(points: Sequence[Point]) -> npt.NDArray[np.float64]:
        return surrogate.truth([decode(space.params, point) for point in points])[:, -1]

    points = [drawn.draw(rng) for _ in range(20000)]
    reached = reached_by(points)
    for _ in range(60):
        front = np.flatnonzero(non_dominated(reached, directions))
        changed = [drawn.change(points[i], rng) for i in rng.choice(front, 1000)]
        points = [points[i] for i in front] + changed
        reached = np.concatenate([reached[front], reached_by(changed)])
    return hypervolume(reached, space.reference, directions)


def main() -> None:
    """Simulate all rows and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30, help="searches of each kind")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="simulated trials at a time")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="what to compare")
    parser.add_argument("--processes", type=int, default=2, help="simulations at a time")
    options = parser.parse_args()
    console = Console()
    # A feature without influence gets the largest length scale allowed, about which scikit-learn warns.
    warnings.simplefilter("ignore", ConvergenceWarning)
    space, record = load_space(SPACE), read_record()
    with console.status("fitting the surrogate"):
        surrogate = Surrogate(record, space.params)
        best = best_known(surrogate, space)
    for name, correlation in cross_validated(record, space.params).items():
        console.print(f"Surrogate, cross-validated rank correlation of the final {name}: {correlation:.2f}")
    console.print(f"Best known hypervolume {best:.4f}, arrived at {GOAL * best:.4f}")
    tasks = [Task(r, w, s) for s in range(options.seeds) for w in options.workers for r in options.rows]
    found: dict[Task, History] = {}
    os.environ["OMP_NUM_THREADS"] = "1"
    context = get_context("spawn")
    with ProcessPoolExecutor(options.processes, context, prepare, (space, surrogate, best)) as pool:
        futures = {pool.submit(run, task): task for task in tasks}
        for future in track(
            as_completed(futures), total=len(tasks), description="searching", console=console
        ):
            found[futures[future]] = future.result()
            if not console.is_terminal and len(found) % max(1, len(tasks) // 10) == 0:
                console.print(f"{len(found)} of {len(tasks)} searches")
    console.print(table(found, options.rows, options.workers, best))
    draw_picture(found, options.rows, options.workers, best, space.base.epochs)
    console.print(f"Picture: {PICTURE}")


SHARED: dict[str, Any] = {}


def prepare(space: Space, surrogate: Surrogate, best: float) -> None:
    """Prepare a process for tasks, with quiet libraries."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    SHARED.update(space=space, surrogate=surrogate, best=best)


def run(task: Task) -> History:
    """Simulate one search until shortly after its arrival."""
    space, surrogate, best = SHARED["space"], SHARED["surrogate"], SHARED["best"]
    return simulate(
        strategy(task.row, space, task.seed),
        surrogate,
        space,
        workers=task.workers,
        epoch_budget=EPOCH_BUDGET,
        seed=task.seed,
        enough=0.98 * best,
    )


def arrival(history: History, goal: float) -> float:
    """Return the epochs spent when the goal was reached; infinite if it was not."""
    arrived = np.flatnonzero(history.hypervolume >= goal)
    return float(history.epochs[arrived[0]]) if len(arrived) else np.inf


def table(found: dict[Task, History], rows: Sequence[str], workers: Sequence[int], best: float) -> Table:
    """Make a table of epochs to arrival: median, quartiles, and the median relative to random search."""
    result = Table("", title=f"Epochs to {GOAL:.0%} of the best known hypervolume", caption=CAPTION)
    for n in workers:
        result.add_column(f"{n} worker{'s' * (n > 1)}")
    quartiles = {
        (row, n): np.quantile(arrivals(found, row, n, GOAL * best), (0.25, 0.5, 0.75), method="nearest")
        for row in rows
        for n in workers
    }
    for row in rows:
        cells = []
        for n in workers:
            low, middle, high = quartiles[row, n]
            cells.append(f"{shown(middle)} ({shown(low)}-{shown(high)})")
            if "random" in rows and np.isfinite(middle):
                cells[-1] += f" {middle / quartiles['random', n][1]:.2f}"
        result.add_row(row, *cells)
    return result


def shown(epochs: float) -> str:
    """Format epochs to arrival as text."""
    return f"{epochs:.0f}" if np.isfinite(epochs) else f">{EPOCH_BUDGET}"


def arrivals(found: dict[Task, History], row: str, workers: int, goal: float) -> list[float]:
    """Return the epochs to arrival of all seeds of a row."""
    return [arrival(h, goal) for task, h in found.items() if (task.row, task.workers) == (row, workers)]


def draw_picture(
    found: dict[Task, History], rows: Sequence[str], workers: Sequence[int], best: float, epochs: int
) -> None:
    """Draw median hypervolume against epochs spent, one panel per number of workers."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(workers), figsize=(12, 4), sharey=True, squeeze=False)
    grid = np.geomspace(epochs, EPOCH_BUDGET, 100)
    for axis, n in zip(axes[0], workers, strict=True):
        for row in rows:
            curves = [on_grid(h, grid) for t, h in found.items() if (t.row, t.workers) == (row, n)]
            low, middle, high = np.quantile(curves, (0.25, 0.5, 0.75), axis=0) / best
            (line,) = axis.plot(grid, middle, label=row, linewidth=2.5 if row == "ours" else 1.5)
            axis.fill_between(grid, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axis.axhline(GOAL, color="grey", linestyle=":")
        axis.set(
            xscale="log", title=f"{n} worker{'s' * (n > 1)}", xlabel="epochs trained, all trials together"
        )
        axis.set_ylim(0.7, 1)
    axes[0][0].set_ylabel("hypervolume, share of the best known")
    axes[0][-1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def on_grid(history: History, grid: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the hypervolume at given numbers of epochs; a finished search keeps its last value."""
    index = np.searchsorted(history.epochs, grid, side="right") - 1
    return np.where(index >= 0, history.hypervolume[index], 0.0)


if __name__ == "__main__":
    main()
