"""The searches that are compared."""

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from benchmarks.search_efficiency.simulator import Ours, Strategy
from dcodr import plugins
from dcodr.errors import UserError
from dcodr.strict_yaml import parse_yaml
from tuning.space import Space
from tuning.space.settings import SearchSettings

OURS = "ours"
RANDOM = "random"
"""Random search without early stopping; see :mod:`benchmarks.search_efficiency.random_search`."""
_OURS = "benchmarks.search_efficiency.simulator:Ours"


@dataclass(frozen=True)
class Row:
    """A search to compare.

    Attributes:
        settings: Changes to the search's settings in ``space.yaml``.
        made_by: ``module:Class`` of the strategy, imported on use, as its library may be missing.
        options: Keyword arguments of the class.
        seeds: Most searches at a number of workers, for rows that think long; ``None`` for no limit.
        trainings: Most epochs of a search, in whole trainings, for such rows; ``None`` for no limit.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    made_by: str = _OURS
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None
    trainings: int | None = None


_PEERS = "benchmarks.search_efficiency.peers"
_GP_SAMPLER = "optuna.samplers:GPSampler"

ROWS: Mapping[str, Row] = {
    OURS: Row(),
    "random + Pareto ASHA": Row({"sampler": "random"}),
    "TPE": Row({"sampler": "tpe", "scheduler": None}),
    "NSGA-II": Row({"sampler": "nsga2", "scheduler": None}),
    "Ray's ASHA, OptunaSearch": Row(made_by="benchmarks.search_efficiency.simulator:RayStock"),
}
"""The rows of ``make bench-search``. Ray's own works on the objectives' sum."""

PEERS: Mapping[str, Row] = {
    "TPE + Pareto ASHA": Row({"sampler": "tpe"}),
    "NSGA-II + Pareto ASHA": Row({"sampler": "nsga2"}),
    "GPSampler": Row({"sampler": _GP_SAMPLER, "scheduler": None}, trainings=60),
    "GPSampler + Pareto ASHA": Row({"sampler": _GP_SAMPLER}, trainings=60),
    "BoTorch qLogNEHVI": Row(made_by=f"{_PEERS}.botorch_nehvi:NoisyHypervolume", trainings=60),
    "Syne Tune MOASHA": Row(made_by=f"{_PEERS}.syne_tune_moasha:MultiObjectiveAsha"),
    "SMAC3 ParEGO": Row(made_by=f"{_PEERS}.smac_parego:ParEgo"),
    "SMAC3 ParEGO, no repeats": Row(made_by=f"{_PEERS}.smac_parego:ParEgo", options={"deterministic": True}),
    "NePS MOASHA": Row(made_by=f"{_PEERS}.neps_algorithms:Neps", options={"algorithm": "moasha"}),
    "NePS PriMO": Row(
        made_by=f"{_PEERS}.neps_algorithms:Neps", options={"algorithm": "primo"}, seeds=3, trainings=60
    ),
}
"""The rows that ``make bench-peers`` adds."""

ALL: Mapping[str, Row] = {**ROWS, **PEERS}


def row_of(name: str) -> Row:
    """Return a row; ``ours {startup_trials: 12}`` is ours with these settings of the search.

    Raises:
        UserError: If there is no such row, or the settings are not a mapping.
    """
    if name in ALL:
        return ALL[name]
    ours, _, settings = name.partition(" ")
    if ours != OURS:
        raise UserError(
            f"no row {name!r}; the rows are {'; '.join(ALL)}; and '{OURS} {{startup_trials: 12}}'"
        )
    return Row(parse_yaml(settings, f"row {name!r}").data)


def seeds(row: str, asked: int) -> int:
    """Return the number of searches of a row at a number of workers."""
    return min(asked, row_of(row).seeds or asked)


def budget(row: str, asked: int, whole: int) -> int:
    """Return the most epochs of a search of a row, given those that are asked for and of a whole training."""
    trainings = row_of(row).trainings
    return asked if trainings is None else min(asked, trainings * whole)


def made_of(row: str, space: Path) -> dict[str, Any]:
    """Return a row's settings, and a digest of its space and of the code that makes and judges its trials.

    The versions of other libraries are not in it.

    Args:
        row: Name of the row.
        space: File of the searched space.
    """
    made, root = row_of(row), Path(__file__).parents[2]
    module = Path(*made.made_by.partition(":")[0].split(".")).with_suffix(".py")
    shared = (Path(__file__).with_name(name) for name in ("simulator.py", "surrogate.py", "repair.py"))
    files = {space, root / module, *shared}
    if made.made_by == _OURS:
        tuning = root / "tuning"
        files |= {tuning / "pareto.py", *tuning.glob("sampling/*.py"), *tuning.glob("driver/*.py")}
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files)))
    return {"settings": dict(made.settings), "options": dict(made.options), "code": digest.hexdigest()[:12]}


def strategy(row: str, space: Space, *, epochs: int, seed: int) -> Strategy:
    """Return the strategy of a row.

    No row begins with the paper's settings, as a user's search does: not every search can be given a first
    trial, and only this project's never stop it early.

    Args:
        row: Name of the row.
        space: The search space.
        epochs: Epochs of all trials together. A library that plans for a number of trials is told how many
            whole trainings these are; this project's searches are told more trials than they can begin.
        seed: Seed of the draws.

    Raises:
        ImportError: If the row's library is missing.
    """
    made = row_of(row)
    module, _, name = made.made_by.partition(":")
    build = cast(Callable[..., Strategy], getattr(importlib.import_module(module), name))
    if made.settings.get("sampler") == _GP_SAMPLER:
        plugins.allow(["optuna"])
    trials = epochs if build is Ours else epochs // space.base.epochs
    changed = {"trials": trials, "warm_start": {"paper": False}, **made.settings}
    search = SearchSettings.model_validate({**space.search.model_dump(), **changed})
    return build(space.model_copy(update={"search": search}), seed, **made.options)
