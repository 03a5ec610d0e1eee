"""The searches that are compared."""

from typing import Any

from benchmarks.search_efficiency.simulator import Ours, RayStock, Strategy
from tuning.space import Space
from tuning.space.settings import SearchSettings

OURS = "ours"
RANDOM = "random"
"""Random search without early stopping; see :mod:`benchmarks.search_efficiency.random_search`."""

ROWS: dict[str, dict[str, Any] | None] = {
    OURS: {},
    "random + Pareto ASHA": {"sampler": "random"},
    "TPE": {"sampler": "tpe", "scheduler": None},
    "NSGA-II": {"sampler": "nsga2", "scheduler": None},
    "Ray's ASHA, OptunaSearch": None,
}
"""Changes of each row to the settings of ``space.yaml``; ``None`` is Ray's own, on the objectives' sum."""


def strategy(row: str, space: Space, *, epochs: int, seed: int) -> Strategy:
    """Return the strategy of a row.

    No row begins with the paper's settings, as a user's search does: not every search can be given a first
    trial, and only this project's never stop it early.
    """
    change = ROWS[row]
    if change is None:
        return RayStock(space, seed)
    settings = {**space.search.model_dump(), "trials": epochs, "warm_start": {"paper": False}, **change}
    return Ours(space.model_copy(update={"search": SearchSettings.model_validate(settings)}), seed)
