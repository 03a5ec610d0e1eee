"""Train members of the front that a surrogate predicts, and compare what they reach with its predictions.

    python -m benchmarks.search_efficiency.front cars3d

If the surrogate's optimum were an artefact, searches of it would measure nothing. The members are those that
hold most of the predicted hypervolume. They are trained as the record's configs were, with a seed that the
record does not have. ``front.jsonl`` beside the record keeps them, and the surrogates of later calls learn
from them: so each call is a round, and predictions near the front get better from round to round.
"""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from benchmarks.search_efficiency.goals import DIRECTIONS, REFERENCES, Floats, best_front
from benchmarks.search_efficiency.record import every_of, train_and_note
from benchmarks.search_efficiency.records import (
    FRONT,
    OBJECTIVES,
    RECORDS,
    SPACE,
    TRAININGS,
    identity,
    noted,
    read_record,
)
from benchmarks.search_efficiency.surrogate import KINDS, USUAL, Surrogate
from tuning.pareto import hypervolume, improvements
from tuning.space import load_space

SEED = 100


def main() -> None:
    """Train the members of one round, and print the comparison of all rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", choices=RECORDS, help="the record that the surrogate learns from")
    parser.add_argument("--members", type=int, default=6, help="members to train; 0 prints earlier rounds")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, one thread each")
    options = parser.parse_args()
    # A feature without influence gets the largest length scale allowed, about which scikit-learn warns.
    warnings.simplefilter("ignore", ConvergenceWarning)
    console, folder, kind = Console(), RECORDS[options.record], KINDS[USUAL[options.record]]
    path = folder / FRONT
    if options.members:
        space = load_space(folder / SPACE, search={"sampler": "random"})
        with console.status("searching for the surrogate's front"):
            record = read_record(folder)
            values, reached = best_front(Surrogate(record, space.params, kind), space)
        known = {identity(of) for of in record.values}
        new = [i for i, of in enumerate(values) if identity(of) not in known]
        chosen = [new[i] for i in holding_most(reached[new], options.members)]
        every = every_of(noted(folder / TRAININGS)[0])
        last = max((run["round"] for run in noted(path)), default=0)
        jobs = [(space, i, values[member], SEED, every) for i, member in enumerate(chosen)]
        facts = [{"round": last + 1, "predicted": reached[member].round(3).tolist()} for member in chosen]
        train_and_note(path, jobs, options.workers, facts)
    runs = noted(path)
    for number in sorted({run["round"] for run in runs}):
        compare([run for run in runs if run["round"] == number], number, console)


def holding_most(reached: Floats, n: int) -> list[int]:
    """Choose members one by one, each the one that adds most to the hypervolume of those before.

    Args:
        reached: ``(m, 2)`` predicted objectives of the front.
        n: The number of members.
    """
    chosen: list[int] = []
    for _ in range(min(n, len(reached))):
        merit = improvements(reached, reached[chosen], REFERENCES[-1], DIRECTIONS)
        merit[chosen] = -1
        chosen.append(int(merit.argmax()))
    return chosen


def compare(runs: Sequence[Mapping[str, Any]], number: int, console: Console) -> None:
    """Print a round's predictions and measurements."""
    whole = [run for run in runs if run["failure"] is None]
    if len(whole) < len(runs):
        console.print(f"{len(runs) - len(whole)} of {len(runs)} trainings diverged and are left out")
    predicted = np.array([run["predicted"] for run in whole]).reshape(-1, len(OBJECTIVES))
    ends = [[run["epochs"][-1][name] for name in OBJECTIVES] for run in whole]
    measured = np.array(ends).reshape(-1, len(OBJECTIVES))
    columns = [f"{name}, {of}" for name in OBJECTIVES for of in ("predicted", "measured")]
    table = Table("member", *columns, box=None, title=f"Round {number}", title_justify="left")
    for i, (expected, found) in enumerate(zip(predicted, measured, strict=True)):
        pairs = zip(expected, found, strict=True)
        table.add_row(str(i), *(f"{value:.3f}" for pair in pairs for value in pair))
    console.print(table)
    for reference in REFERENCES:
        volumes = [hypervolume(rows, reference, DIRECTIONS) for rows in (predicted, measured)]
        console.print(f"Hypervolume from {reference}: predicted {volumes[0]:.3f}, measured {volumes[1]:.3f}")


if __name__ == "__main__":
    main()
