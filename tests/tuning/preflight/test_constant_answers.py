"""From where the objectives of a space are measured."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcodr.data.dataset import Attribute, DatasetSpec, FactorDataset
from dcodr.errors import UserError
from tests.tuning.sampling.spaces import space_of
from tuning.pareto import Direction
from tuning.preflight.reference import with_constant_answers
from tuning.space import Space
from tuning.space.params import FloatParam

PARAMS = {"temperature": FloatParam(type="float", low=0.05, high=0.5)}


@pytest.fixture
def data() -> FactorDataset:
    """Training images, then validation images: half of each pose; landmarks around (50, 100) by 10 pixels."""
    return FactorDataset(
        spec=DatasetSpec("faces", "person", (Attribute("pose", 2), Attribute("landmarks", None))),
        images=np.zeros((8, 2, 2, 3), np.uint8),
        domain=np.array([0, 0, 0, 1] * 2),
        attributes={
            "pose": np.array([0, 1, 1, 1, 0, 1, 0, 1]),
            "landmarks": np.array([[40, 90], [50, 100], [50, 100], [60, 110]] * 2, np.float32),
        },
        split=np.repeat(np.arange(2, dtype=np.uint8), 4),
        fingerprint="0" * 64,
    )


MEASURED: list[tuple[str, Direction, float, float]] = [
    ("invariance", "maximize", 0.0, 1.0),
    ("informativeness", "maximize", 0.0, 1.0),
    ("domain_accuracy", "minimize", 1.0, 0.0),
    ("domain_accuracy", "maximize", 0.75, 1.0),
    ("accuracy/pose", "maximize", 0.5, 1.0),
    ("accuracy/pose", "minimize", 1.0, 0.0),
    ("error/landmarks", "minimize", 5.0, 0.0),
    ("error/landmarks", "maximize", 0.0, np.inf),
]


@pytest.mark.parametrize(("name", "direction", "worst", "best"), MEASURED)
def test_every_objective_is_measured_from_where_nothing_is_gained(
    name: str, direction: Direction, worst: float, best: float, data: FactorDataset
) -> None:
    space = with_constant_answers(space_of(dict(PARAMS), {name: direction}), data)
    assert (space.reference, space.perfect) == ([worst], [best])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accuracy/pose", r"objectives\.accuracy/pose: pose is the same in all validation images of faces"),
        ("error/landmarks", r"objectives\.error/landmarks: landmarks is the same in all"),
    ],
)
def test_where_a_constant_is_always_right_there_is_nothing_to_gain(
    name: str, message: str, data: FactorDataset
) -> None:
    same: dict[str, Any] = {"pose": np.ones(8, np.int64), "landmarks": np.full((8, 2), 50, np.float32)}
    direction: Direction = "minimize" if name.startswith("error") else "maximize"
    with pytest.raises(UserError, match=message):
        with_constant_answers(space_of(dict(PARAMS), {name: direction}), replace(data, attributes=same))


def test_a_space_of_an_earlier_version_keeps_its_reference() -> None:
    space = space_of(dict(PARAMS), {"accuracy/pose": "maximize", "error/landmarks": "minimize"})
    earlier = space.model_dump(mode="json")
    del earlier["constant_answers"], earlier["search"]["preference"]
    assert Space.model_validate_json(json.dumps(earlier)) == space
    assert space.reference == [0.0, 1.0]
