"""Records of real trainings: a folder each, with the searched space and one JSON line per training."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RECORDS = {name: Path(__file__).parent / "records" / name for name in ("embedded", "cars3d")}
"""The folder of each record."""
SPACE = "space.yaml"
TRAININGS = "trainings.jsonl"
OBJECTIVES = ("invariance", "informativeness")


@dataclass(frozen=True)
class Record:
    """The recorded trainings of a space.

    Attributes:
        configs: ``(n,)`` index of the config of each training.
        values: Values of the searched settings of each training.
        metrics: ``(n, epochs, 2)`` objectives of each training after every epoch.
    """

    configs: npt.NDArray[np.int64]
    values: list[dict[str, Any]]
    metrics: npt.NDArray[np.float64]


def read_record(folder: Path = RECORDS["embedded"]) -> Record:
    """Read a record without trainings that diverged or collapsed."""
    runs = [json.loads(line) for line in (folder / TRAININGS).read_text().splitlines()]
    epochs = max(len(run["epochs"]) for run in runs)
    whole = [
        run
        for run in runs
        if len(run["epochs"]) == epochs and not any(epoch["infeasible"] for epoch in run["epochs"])
    ]
    whole.sort(key=lambda run: (run["config"], run["seed"]))
    metrics = [[[epoch[name] for name in OBJECTIVES] for epoch in run["epochs"]] for run in whole]
    return Record(
        np.array([run["config"] for run in whole]), [run["values"] for run in whole], np.array(metrics)
    )
