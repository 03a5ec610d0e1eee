"""A sampler from outside proposes; the space decides what is allowed."""

from typing import Any, ClassVar

import pytest
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from dcodr.errors import UserError
from tests.tuning.sampling.spaces import space_of
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.sampling.sampler import SpaceSampler, load_sampler
from tuning.space import Space
from tuning.space.params import FloatParam, SubsetParam

REPEAT = "mypackage.samplers:Repeat"
pytestmark = pytest.mark.usefixtures("mypackage")


@pytest.fixture
def space() -> Space:
    """A number and a set with a rule."""
    subset = SubsetParam(type="subset", members=("crop", "affine", "grayscale"), required=("crop",))
    number = FloatParam(type="float", low=0.1, high=1.0)
    made = space_of(
        {"temperature": number, "augmentations": subset},
        {"invariance": "maximize", "informativeness": "maximize"},
        trials=20,
        warm_start={"paper": False},
    )
    search = made.search.model_copy(update={"sampler": REPEAT})
    return made.model_copy(update={"search": search})


class Proposes(RandomSampler):
    """Always proposes the same values."""

    values: ClassVar[dict[str, Any]] = {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.values


def begun(space: Space, n: int) -> list[dict[str, Any]]:
    ledger = Ledger.create(None, space, {}, [])
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    trials = [queue.begin() for _ in range(n)]
    return [dict(trial.values) for trial in trials if trial is not None]


def test_its_proposals_are_trained_and_repaired(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypackage.samplers.Repeat", Proposes)
    names = ("crop", "affine", "grayscale")
    proposed: dict[str, Any] = {f"augmentations.{name}": name == "affine" for name in names}
    monkeypatch.setattr(Proposes, "values", proposed | {"temperature": 0.25})
    first, second = begun(space, 2)
    assert first["temperature"] == 0.25
    assert set(first["augmentations"]) == {"crop", "affine"}  # crop is required
    assert second["temperature"] != 0.25  # a proposal that was tried before is replaced by a random one


def test_values_that_it_does_not_propose_are_drawn(space: Space) -> None:
    drawn = begun(space, 6)
    assert len({values["temperature"] for values in drawn}) == 6
    assert all("crop" in values["augmentations"] for values in drawn)


def test_an_impossible_value_is_told(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypackage.samplers.Repeat", Proposes)
    monkeypatch.setattr(Proposes, "values", {"temperature": 7.0})
    with pytest.raises(
        UserError, match=f"search.sampler: {REPEAT} proposed an impossible value of temperature"
    ):
        begun(space, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mypackage.nets:tiny", "should be a subclass of optuna.samplers.BaseSampler"),
        ("stranger:Sampler", "which this machine does not allow"),
        ("mypackage.samplers:BaseSampler", "cannot be built: TypeError"),
    ],
)
def test_wrong_ones_are_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"search.sampler: {name} .*{message}"):
        load_sampler(name, seed=0)
