"""Searches of other libraries are driven like ours, and those that cannot run are named."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.search_efficiency import compare, rows
from benchmarks.search_efficiency.histories import Failure, Task
from benchmarks.search_efficiency.records import RECORDS, SPACE
from benchmarks.search_efficiency.repair import repaired
from benchmarks.search_efficiency.rows import ALL, PEERS, Row, strategy
from benchmarks.search_efficiency.simulator import History, Metrics, simulate
from tuning.ledger.encoding import flat
from tuning.space import Space, load_space
from tuning.space.params import SubsetParam

Floats = npt.NDArray[np.float64]


@pytest.fixture(name="space", scope="module")
def _space() -> Space:
    return load_space(RECORDS["embedded"] / SPACE)


@pytest.fixture(name="searched", scope="module", params=RECORDS)
def _searched(request: pytest.FixtureRequest) -> Space:
    """The space of each record; that of Cars3D searches strengths and choices among numbers."""
    return load_space(RECORDS[request.param] / SPACE)


class Ramps:
    """Trainings that grow with the epochs, up to the temperature in one objective, and down in the other."""

    def __init__(self, epochs: int = 4) -> None:
        self.epochs = epochs
        self.trained: list[Mapping[str, Any]] = []

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        self.trained.append(values)
        curve: Floats = self.truth([values])[0]
        return curve

    def truth(self, values: list[Mapping[str, Any]]) -> Floats:
        last = np.array([[of["temperature"], 0.6 - of["temperature"]] for of in values])
        curves: Floats = last[:, None] * np.linspace(0.25, 1, self.epochs)[None, :, None]
        return curves


def test_a_draw_of_booleans_becomes_the_nearest_allowed_set(searched: Space) -> None:
    rng = np.random.default_rng(0)
    key, param = next((k, p) for k, p in searched.params.items() if isinstance(p, SubsetParam))
    drawn = dict.fromkeys(flat(searched.params), 0.1)
    for n, left in ((0, 1), (3, 3), (6, 6), (9, 6)):
        booleans = {f"{key}.{member}": i < n for i, member in enumerate(param.members)}
        values = repaired(searched.params, drawn | booleans, rng)
        assert len(values[key]) == left
        assert param.allows(values[key])
        assert n == 0 or {*values[key]} <= {*param.members[:n]}
        assert values["temperature"] == 0.1
        assert {*param.strength_params(values[key])} == {name for name in values if "strengths" in name}


NEEDED = {
    "botorch_nehvi": "botorch.optim.optimize_mixed",  # not in the BoTorch that NePS pins
    "smac_parego": "smac",
    "syne_tune_moasha": "syne_tune",
    "neps_algorithms": "neps",
}
"""The part of a library that a peer needs."""


def missing(row: Row) -> bool:
    """Tell whether the library of a row is not installed."""
    needed = NEEDED.get(row.made_by.partition(":")[0].rpartition(".")[2])
    try:
        return needed is not None and importlib.util.find_spec(needed) is None
    except ModuleNotFoundError:  # a package above it is missing
        return True


@pytest.mark.parametrize("name", ["Ray's ASHA, OptunaSearch", *PEERS])
def test_every_peer_trains_allowed_configs(name: str, searched: Space) -> None:
    if missing(ALL[name]):
        pytest.skip("its library is not installed")
    epochs = searched.base.epochs
    curves, peer = Ramps(epochs), strategy(name, searched, epochs=12 * epochs, seed=1)
    history = simulate(peer, curves, searched, workers=4, epoch_budget=12 * epochs, seed=1)
    assert len(history.epochs) >= 3
    assert len(curves.trained) >= 10
    assert [searched.reject_reason(values) for values in curves.trained] == [None] * len(curves.trained)
    assert len({values["temperature"] for values in curves.trained}) > 5


def test_every_peer_is_made_by_an_existing_module() -> None:
    for row in PEERS.values():
        assert importlib.util.find_spec(row.made_by.partition(":")[0]) is not None


def test_what_makes_a_row_is_its_settings_and_code() -> None:
    embedded, cars3d = (RECORDS[name] / SPACE for name in ("embedded", "cars3d"))
    made = {name: rows.made_of(name, embedded) for name in ALL}
    assert rows.made_of("TPE", cars3d)["code"] != made["TPE"]["code"]
    assert made["TPE"]["settings"] == {"sampler": "tpe", "scheduler": None}
    assert made[rows.OURS]["code"] == made["TPE"]["code"] != made["Syne Tune MOASHA"]["code"]
    assert len({json.dumps(of) for of in made.values()}) == len(ALL)


def test_slow_rows_search_less_and_never_more_than_asked() -> None:
    slow = "NePS PriMO"
    most = PEERS[slow].trainings
    assert most
    assert (rows.seeds(slow, 20), rows.budget(slow, 600, 4)) == (PEERS[slow].seeds, 4 * most)
    assert (rows.seeds(slow, 1), rows.budget(slow, 60, 12)) == (1, 60)
    assert (rows.seeds(rows.OURS, 20), rows.budget(rows.OURS, 600, 4)) == (20, 600)


class Broken:
    """A peer that breaks down at its second trial."""

    def __init__(self, space: Space, seed: int) -> None:
        self._values = space.paper_values()
        self._begun = 0

    def begin(self) -> tuple[Any, Mapping[str, Any]]:
        self._begun += 1
        if self._begun > 1:
            raise KeyError("lost")
        return object(), self._values

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        return True

    def end(self, trial: Any, epoch: int) -> None:
        pass


@pytest.fixture(name="two_rows")
def _two_rows(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {
        "gone": Row(made_by="benchmarks.search_efficiency.peers.gone:Gone"),
        "broken": Row(made_by=f"{__name__}:Broken"),
    }
    monkeypatch.setattr(rows, "ALL", {**rows.ALL, **made})
    monkeypatch.setattr(compare, "PEERS", made)
    shared = {"space": space, "surrogate": Ramps(), "goals": (), "epochs": 16}
    monkeypatch.setattr(compare, "SHARED", shared)


@pytest.mark.usefixtures("two_rows")
def test_a_peer_that_cannot_run_is_a_failure_and_not_an_empty_search(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = compare.run(Task("gone", 2, 0))
    assert isinstance(gone, Failure)
    assert gone.error.startswith(
        "ModuleNotFoundError: No module named 'benchmarks.search_efficiency.peers.gone"
    )
    assert compare.run(Task("broken", 1, 0)) == Failure("KeyError: 'lost'")
    assert isinstance(compare.run(Task("random + Pareto ASHA", 2, 0)), History)
    monkeypatch.setattr(compare, "PEERS", {})  # an error of this project's own rows is not to be hidden
    with pytest.raises(KeyError, match="lost"):
        compare.run(Task("broken", 1, 0))


class Resuming(Broken):
    """A peer that stops its first trial after an epoch, and goes on with it after the second trial."""

    def __init__(self, space: Space) -> None:
        super().__init__(space, 0)
        self.first = SimpleNamespace(name="first")  # cannot be hashed
        self.reported: list[tuple[Any, int, float]] = []
        self._plan = iter([self.first, SimpleNamespace(name="second"), self.first])

    def begin(self) -> tuple[Any, Mapping[str, Any]] | None:  # type: ignore[override]
        trial = next(self._plan, None)
        return None if trial is None else (trial, self._values)

    def report(self, trial: Any, epoch: int, metrics: Metrics) -> bool:
        self.reported.append((trial.name, epoch, metrics["invariance"]))
        return trial is not self.first or epoch > 1


def test_a_stopped_trial_goes_on_where_it_was(space: Space) -> None:
    curves, peer = Ramps(), Resuming(space)
    history = simulate(peer, curves, space, workers=1, epoch_budget=99, seed=0)
    assert [(name, epoch) for name, epoch, _ in peer.reported] == [
        ("first", 1),
        *(("second", epoch) for epoch in range(1, 5)),
        *(("first", epoch) for epoch in range(2, 5)),
    ]
    assert len(curves.trained) == 2
    assert history.epochs.tolist() == [5, 8]
    whole = curves.truth([curves.trained[0]])[0, :, 0]
    assert [value for name, _, value in peer.reported if name == "first"] == pytest.approx(whole)


@dataclass
class Asked:
    """A trial of NePS's stand-in."""

    id: str
    config: Mapping[str, Any]
    metadata: SimpleNamespace
    report: object = None


@dataclass
class AskAndTell:
    """NePS's stand-in: asks for an epoch of three trials and promotes the first; it cannot compare before."""

    optimizer: Mapping[str, Any]
    trials: dict[str, Asked] = field(default_factory=dict)
    told: dict[str, list[float]] = field(default_factory=dict)

    def ask(self) -> Asked:
        if len(self.trials) >= 3 and not self.told:
            raise ValueError("need at least one array to concatenate")
        promoted = len(self.trials) == 3
        epochs = 4 if promoted or len(self.trials) > 3 else 1
        drawn: dict[str, Any] = {name: name == "augmentations.crop" for name in self.optimizer}
        drawn |= {"epochs": epochs, "temperature": 0.1, "encoder_lr": 0.001, "generator_lr": 0.001}
        drawn |= {"reconstruction_weight": 0.3}
        number = "1_rung_1" if promoted else f"{len(self.trials) + 1}_rung_0"
        previous = "1_rung_0" if promoted else None
        self.trials[number] = Asked(number, drawn, SimpleNamespace(previous_trial_id=previous))
        return self.trials[number]

    def tell(self, number: str, result: Mapping[str, Any]) -> None:
        self.trials[number].report = result
        self.told[number] = result["objective_to_minimize"]


@pytest.fixture(name="neps")
def _neps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the peer, on a stand-in for NePS."""

    def build(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return args, kwargs

    modules: dict[str, dict[str, Any]] = {
        "neps": {},
        "neps.optimizers": {"load_optimizer": lambda name, searched: (searched, {})},
        "neps.optimizers.ask_and_tell": {"AskAndTell": AskAndTell},
        "neps.space": {
            "HPOCategorical": build,
            "HPOFloat": build,
            "HPOInteger": build,
            "SearchSpace": dict,
        },
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    name = "benchmarks.search_efficiency.peers.neps_algorithms"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


def test_neps_waits_while_it_cannot_compare_and_goes_on_with_what_it_promotes(
    neps: Any, space: Space
) -> None:
    peer = neps.Neps(space, 0, "moasha")
    (first, values), _, _ = peer.begin(), peer.begin(), peer.begin()
    assert values["augmentations"] == ("crop",)
    assert peer.begin() is None
    assert not peer.report(first, 1, {"invariance": 0.75, "informativeness": 0.5})
    assert peer._neps.told == {"1_rung_0": [0.25, 0.5]}
    again, _ = peer.begin()
    assert again is first
    assert peer.report(first, 3, {"invariance": 0.8, "informativeness": 0.5})
    peer.report(first, 4, {"invariance": 0.9, "informativeness": 0.6})
    assert peer._neps.told["1_rung_1"] == pytest.approx([0.1, 0.4])
    other, _ = peer.begin()
    assert other is not first
