"""Train members of a surrogate's front, and compare what they reach with its predictions.

    python -m benchmarks.search_efficiency.front cars3d

If the surrogate's optimum were an artefact, searches of it would measure nothing. The members are those that
hold most of the predicted hypervolume. They are trained as the record's configs were, with a seed that the
record does not have; ``front.jsonl`` beside the record keeps the trainings.
"""

import argparse
import json
import warnings

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from benchmarks.search_efficiency.goals import DIRECTIONS, REFERENCES, Floats, best_front
from benchmarks.search_efficiency.record import every_of, noted, train_and_note
from benchmarks.search_efficiency.records import OBJECTIVES, RECORDS, SPACE, TRAININGS, read_record
from benchmarks.search_efficiency.surrogate import Surrogate
from tuning.pareto import hypervolume, improvements
from tuning.space import load_space

FRONT = "front.jsonl"
SEED = 100


def main() -> None:
    """Train the members that are not trained yet, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", choices=RECORDS, help="the record that the surrogate learns from")
    parser.add_argument("--members", type=int, default=6, help="members of the front to train")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, one thread each")
    options = parser.parse_args()
    # A feature without influence gets the largest length scale allowed, about which scikit-learn warns.
    warnings.simplefilter("ignore", ConvergenceWarning)
    console, folder = Console(), RECORDS[options.record]
    space = load_space(folder / SPACE, search={"sampler": "random"})
    with console.status("searching for the surrogate's front"):
        surrogate = Surrogate(read_record(folder), space.params)
        values, reached = best_front(surrogate, space)
    chosen = holding_most(reached, options.members)
    every = every_of(noted(folder / TRAININGS)[0])
    path = folder / FRONT
    trained = {key(run["values"]) for run in noted(path)}
    missing = [(i, values[member]) for i, member in enumerate(chosen) if key(values[member]) not in trained]
    train_and_note(path, [(space, i, of, SEED, every) for i, of in missing], options.workers)
    runs = {key(run["values"]): run for run in noted(path)}
    whole = [member for member in chosen if runs[key(values[member])]["failure"] is None]
    if len(whole) < len(chosen):
        console.print(f"{len(chosen) - len(whole)} of {len(chosen)} trainings diverged and are left out")
    ends = [runs[key(values[member])]["epochs"][-1] for member in whole]
    measured = np.array([[end[name] for name in OBJECTIVES] for end in ends]).reshape(-1, len(OBJECTIVES))
    console.print(compared(reached[whole], measured))
    for reference in REFERENCES:
        found = [hypervolume(rows, reference, DIRECTIONS) for rows in (reached[whole], measured)]
        console.print(f"Hypervolume from {reference}: predicted {found[0]:.3f}, measured {found[1]:.3f}")


def key(values: dict[str, object]) -> str:
    """Return the identity of values, the same before and after they were written as JSON."""
    return json.dumps(values)


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


def compared(predicted: Floats, measured: Floats) -> Table:
    """Return a table with predicted and measured objectives, ``(n, 2)`` each."""
    columns = [f"{name}, {of}" for name in OBJECTIVES for of in ("predicted", "measured")]
    table = Table("member", *columns, box=None)
    for i, (expected, found) in enumerate(zip(predicted, measured, strict=True)):
        pairs = zip(expected, found, strict=True)
        table.add_row(str(i), *(f"{value:.3f}" for pair in pairs for value in pair))
    return table


if __name__ == "__main__":
    main()
