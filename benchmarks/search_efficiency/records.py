"""Records of real trainings: a folder each, with the searched space and one JSON line per training.

``trainings.jsonl`` has random configs, ``front.jsonl`` members of the front that surrogates predicted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RECORDS = {name: Path(__file__).parent / "records" / name for name in ("embedded", "cars3d")}
"""The folder of each record."""
SPACE = "space.yaml"
TRAININGS, FRONT = "trainings.jsonl", "front.jsonl"
OBJECTIVES = ("invariance", "informativeness")


@dataclass(frozen=True)
class Record:
    """The recorded trainings of a space.

    Attributes:
        configs: ``(n,)`` index of the config of each training; several seeds share it.
        values: Values of the searched settings of each training.
        metrics: ``(n, epochs, 2)`` objectives of each training after every epoch.
    """

    configs: npt.NDArray[np.int64]
    values: list[dict[str, Any]]
    metrics: npt.NDArray[np.float64]


def read_record(folder: Path = RECORDS["embedded"]) -> Record:
    """Read a record without trainings that diverged or collapsed."""
    runs = [*noted(folder / TRAININGS), *noted(folder / FRONT)]
    epochs = max(len(run["epochs"]) for run in runs)
    whole = [
        run
        for run in runs
        if len(run["epochs"]) == epochs and not any(epoch["infeasible"] for epoch in run["epochs"])
    ]
    whole.sort(key=lambda run: (run["config"], run["seed"]))
    metrics = [[[epoch[name] for name in OBJECTIVES] for epoch in run["epochs"]] for run in whole]
    indices: dict[str, int] = {}
    configs = [indices.setdefault(identity(run["values"]), len(indices)) for run in whole]
    return Record(np.array(configs), [run["values"] for run in whole], np.array(metrics))


def noted(path: Path) -> list[dict[str, Any]]:
    """Return the trainings of a file, none if it does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def identity(values: Mapping[str, Any]) -> str:
    """Return the identity of values, the same before and after they were written as JSON."""
    return json.dumps(values)
