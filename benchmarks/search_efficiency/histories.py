"""Courses of searches in a file of JSON lines, so that a comparison continues where it was interrupted."""

import json
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


def note(path: Path, task: Task, history: History) -> None:
    """Append a search to a file."""
    course = {"epochs": history.epochs, "clock": history.clock, "reached": history.reached}
    lists = {name: of.round(6).tolist() for name, of in course.items()}
    with path.open("a") as file:
        file.write(json.dumps({**asdict(task), **lists, "proposal": history.proposal}) + "\n")


def noted(path: Path) -> dict[Task, History]:
    """Return the searches of a file; none if there is no file."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        run = json.loads(line)
        reached = np.array(run["reached"]).reshape(-1, 2)
        history = History(np.array(run["epochs"]), np.array(run["clock"]), reached, run["proposal"])
        found[Task(run["row"], run["workers"], run["seed"])] = history
    return found
