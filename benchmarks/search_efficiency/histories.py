"""Courses of searches in a file of JSON lines, so that a comparison continues where it was interrupted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.search_efficiency.simulator import History


@dataclass(frozen=True)
class Task:
    """One simulated search."""

    row: str
    workers: int
    seed: int


Conditions = Mapping[str, str | int]
"""Settings of the simulation that all searches of a comparison share."""


def note(path: Path, task: Task, history: History, conditions: Conditions) -> None:
    """Append a search to a file."""
    course = {"epochs": history.epochs, "clock": history.clock, "reached": history.reached}
    lists = {name: of.round(6).tolist() for name, of in course.items()}
    with path.open("a") as file:
        file.write(
            json.dumps({**asdict(task), **lists, "proposal": history.proposal, "conditions": conditions})
            + "\n"
        )


def noted(path: Path, conditions: Conditions) -> dict[Task, History]:
    """Return the searches of a file that were made under some conditions; none if there is no file."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        run = json.loads(line)
        if run["conditions"] != conditions:
            continue
        reached = np.array(run["reached"]).reshape(-1, 2)
        history = History(np.array(run["epochs"]), np.array(run["clock"]), reached, run["proposal"])
        found[Task(run["row"], run["workers"], run["seed"])] = history
    return found
