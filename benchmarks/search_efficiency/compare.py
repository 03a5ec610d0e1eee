"""Simulate what searches cost until they have found most of the best known front, as tables and a picture.

    python -m benchmarks.search_efficiency.compare --seeds 20

Every row searches the space of a record on its surrogate, with 1, 8 and 64 workers. A search has
arrived when its complete trials dominate a share of the best known hypervolume, without noise, from one of
two reference points. Searches of the same seed train with the same noise. Choose settings on ``--set
choose``; report results of ``--set report``.

A row ``ours {startup_trials: 12}`` is ours with these settings of ``search`` in a space file:

    python -m benchmarks.search_efficiency.compare --set choose --rows ours "ours {scheduler: null}"

``--peers`` adds the rows of other libraries (the extras ``peers`` and ``neps``). One that is not installed or
breaks down is named with its error.
"""

import argparse
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import optuna
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track
from sklearn.exceptions import ConvergenceWarning

from benchmarks.search_efficiency.goals import Goal, arrival, best_front, goals_of
from benchmarks.search_efficiency.histories import Conditions, Failure, Task, note, noted
from benchmarks.search_efficiency.random_search import RandomSearch
from benchmarks.search_efficiency.records import RECORDS, SPACE, read_record
from benchmarks.search_efficiency.report import Unit, breakdowns, draw_picture, proposals, table
from benchmarks.search_efficiency.rows import (
    ALL,
    PEERS,
    RANDOM,
    ROWS,
    budget,
    made_of,
    row_of,
    seeds,
    strategy,
)
from benchmarks.search_efficiency.simulator import History, simulate
from benchmarks.search_efficiency.surrogate import KINDS, USUAL, Surrogate, cross_validated
from dcodr.errors import UserError
from tuning.space import Space, load_space
from tuning.space.settings import SearchSettings

PICTURE = Path(__file__).parents[2] / "docs" / "search_efficiency.png"
UNSEEN = {"processes", "histories", "picture"}
"""Options that change no result."""
WORKERS = (1, 8, 64)
SETS = {"choose": 1000, "report": 2000}
"""First seed of each set."""
WHOLE = 150
"""A search that has not arrived is ended after the epochs of this many whole trainings."""
RANDOM_WHOLE = 1000
"""The same of a random search, which costs little to simulate: 98 % may take 500 and more."""


def main() -> None:
    """Simulate all rows and print the results."""
    options = arguments()
    console = Console()
    # A feature without influence gets the largest length scale allowed, about which scikit-learn warns.
    warnings.simplefilter("ignore", ConvergenceWarning)
    options.surrogate = options.surrogate or USUAL[options.record]
    folder, kind = RECORDS[options.record], KINDS[options.surrogate]
    space, record = load_space(folder / SPACE), read_record(folder)
    with console.status("fitting the surrogate"):
        surrogate = Surrogate(record, space.params, kind)
        goals = goals_of(best_front(surrogate, space)[1])
        correlations = cross_validated(record, space.params, kind)
    for name, correlation in correlations.items():
        console.print(f"Surrogate, cross-validated rank correlation of the final {name}: {correlation:.2f}")
    options.epochs = options.epochs or WHOLE * space.base.epochs
    first = SETS[options.set] if options.first_seed is None else options.first_seed
    found = random_searches(surrogate, space, range(first, first + options.sequences), options.workers)
    rows = options.rows or [*ROWS, *(PEERS if options.peers else ())]
    tasks = [
        Task(row, n, first + i)
        for i in range(options.seeds)
        for n in options.workers
        for row in rows
        if i < seeds(row, options.seeds)
    ]
    os.environ["OMP_NUM_THREADS"] = "1"
    results = dict(searches(tasks, options, (space, surrogate, goals), console))
    # In the order of the rows, not of the searches' ends.
    found |= {task: done for task in tasks if isinstance(done := results[task], History)}
    budgets = {row: budget(row, options.epochs, space.base.epochs) for row in rows}
    budgets[RANDOM] = RANDOM_WHOLE * space.base.epochs
    for goal in goals:
        arrived = {task: arrival(history, goal) for task, history in found.items()}
        for unit in get_args(Unit):
            print(f"\n{unit.capitalize()} until {goal}, {goal.volume:.4f}\n")
            print(table(arrived, unit, budgets))
    print(f"\n{proposals(found)}")
    for line in breakdowns(results):
        print(f"\n{line}")
    if options.picture:
        best = {goal.reference: goal.volume / goal.share for goal in goals}
        draw_picture(options.picture, found, best, space.base.epochs, options.epochs)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="searches of each row and number of workers")
    parser.add_argument("--record", default="embedded", choices=RECORDS, help="basis of the surrogate")
    parser.add_argument("--set", default="report", choices=SETS, help="seeds to choose on, or to report")
    parser.add_argument("--first-seed", type=int, help="of each row; default: that of the set")
    parser.add_argument("--sequences", type=int, default=300, help="random searches, which cost little")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="simulated trials at a time")
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument(
        "--rows", nargs="+", type=row, metavar="ROW", help=f"instead of the usual ones: {'; '.join(ALL)}"
    )
    compared.add_argument("--peers", action="store_true", help="compare with other libraries as well")
    parser.add_argument(
        "--surrogate", choices=KINDS, help="how results are predicted; default: by the record"
    )
    parser.add_argument("--epochs", type=int, help=f"most epochs of a search; default: of {WHOLE} trainings")
    parser.add_argument("--processes", type=int, default=2, help="simulations at a time")
    parser.add_argument(
        "--histories",
        type=Path,
        help="file of finished searches, to continue from; not after an update of a library",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        help="file of the picture; with the default options that of the docs",
    )
    options = parser.parse_args()
    if all(getattr(options, name) == parser.get_default(name) for name in vars(options).keys() - UNSEEN):
        options.picture = options.picture or PICTURE
    return options


def row(name: str) -> str:
    """Return the name of a row that exists."""
    try:
        SearchSettings.model_validate({"trials": 1, **row_of(name).settings})
    except (UserError, ValidationError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def random_searches(
    surrogate: Surrogate, space: Space, seeds: Sequence[int], workers: Sequence[int]
) -> dict[Task, History]:
    """Return exact random searches."""
    found: dict[Task, History] = {}
    epochs = RANDOM_WHOLE * space.base.epochs
    for seed in seeds:
        search = RandomSearch(surrogate, space, seed=seed, epochs=epochs, workers=max(workers))
        found |= {Task(RANDOM, n, seed): search.history(n) for n in workers}
    return found


def searches(
    tasks: Sequence[Task],
    options: argparse.Namespace,
    shared: tuple[Space, Surrogate, Sequence[Goal]],
    console: Console,
) -> Iterator[tuple[Task, History | Failure]]:
    """Yield simulated searches; those of an earlier run come first."""
    space, _, goals = shared
    under = {task: conditions(task.row, options, space, goals) for task in tasks}
    earlier = {} if options.histories is None else noted(options.histories, under)
    yield from earlier.items()
    left = [task for task in tasks if task not in earlier]
    with ProcessPoolExecutor(
        options.processes, get_context("spawn"), prepare, (*shared, options.epochs)
    ) as pool:
        futures = {pool.submit(run, task): task for task in left}
        done = as_completed(futures)
        for i, future in enumerate(track(done, "searching", total=len(left), console=console), 1):
            task, result = futures[future], future.result()
            if options.histories and isinstance(result, History):
                note(options.histories, task, result, under[task])
            yield task, result
            if not console.is_terminal and i % max(1, len(left) // 10) == 0:
                console.print(f"{i} of {len(left)} searches")


def conditions(row: str, options: argparse.Namespace, space: Space, goals: Sequence[Goal]) -> Conditions:
    """Return the conditions under which the searches of a row are simulated.

    Another record or surrogate has another best known front, and so other goals.
    """
    volumes = [round(goal.volume, 4) for goal in goals]
    shared = {"record": options.record, "surrogate": options.surrogate, "goals": volumes}
    made = made_of(row, RECORDS[options.record] / SPACE)
    return {**shared, **made, "epochs": budget(row, options.epochs, space.base.epochs)}


SHARED: dict[str, Any] = {}


def prepare(space: Space, surrogate: Surrogate, goals: Sequence[Goal], epochs: int) -> None:
    """Prepare a process for tasks, with quiet libraries."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    SHARED.update(space=space, surrogate=surrogate, goals=goals, epochs=epochs)


def run(task: Task) -> History | Failure:
    """Simulate one search until it has met all goals; only the row of another library may break down."""
    try:
        return simulated(task)
    except Exception as error:
        if task.row not in PEERS:
            raise
        return Failure(f"{type(error).__name__}: {error}")


def simulated(task: Task) -> History:
    """Simulate one search until it has met all goals."""
    space = SHARED["space"]
    epochs = budget(task.row, SHARED["epochs"], space.base.epochs)
    return simulate(
        strategy(task.row, space, epochs=epochs, seed=task.seed),
        SHARED["surrogate"],
        space,
        workers=task.workers,
        epoch_budget=epochs,
        seed=task.seed,
        goals=SHARED["goals"],
    )


if __name__ == "__main__":
    main()
