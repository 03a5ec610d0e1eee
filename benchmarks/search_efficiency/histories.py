"""Courses of searches in a file of JSON lines, so that a comparison continues where it was interrupted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_efficiency.simulator import History
from tuning.ledger.journal import mend


@dataclass(frozen=True)
class Task:
    """One simulated search."""

    row: str
    workers: int
    seed: int


@dataclass(frozen=True)
class Failure:
    """A search that broke down, so that its result is unknown.

    Attributes:
        error: The type and text of the error.
    """

    error: str


Conditions = Mapping[str, Any]
"""Settings of the simulation that all searches of a row share."""


def note(path: Path, task: Task, history: History, conditions: Conditions) -> None:
    """Append a search to a file."""
    course = {"epochs": history.epochs, "clock": history.clock, "reached": history.reached}
    lists = {name: of.round(6).tolist() for name, of in course.items()}
    line = {**asdict(task), **lists, "proposal": history.proposal, "conditions": conditions}
    with path.open("a") as file:
        file.write(f"{json.dumps(line)}\n")


def noted(path: Path, wanted: Mapping[Task, Conditions]) -> dict[Task, History]:
    """Return the wanted searches that a file has under their conditions; none if there is no file.

    A last line that an interruption cut off is removed from the file.
    """
    if not path.exists():
        return {}
    mend(path)
    found = {}
    for line in path.read_text().splitlines():
        run = json.loads(line)
        task = Task(run["row"], run["workers"], run["seed"])
        if task in wanted and run["conditions"] == wanted[task]:
            reached = np.array(run["reached"]).reshape(-1, 2)
            found[task] = History(np.array(run["epochs"]), np.array(run["clock"]), reached, run["proposal"])
    return found
