"""Points are drawn evenly and changed a little, always within the space."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcodr.augmentations.names import PAPER_13
from tests.tuning.sampling.spaces import mixed, spaces, study_of
from tuning.ledger.encoding import decode, encode, suggest
from tuning.sampling.points import Point, Points
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam

unhurried = settings(max_examples=25)


def check(point: Point, params: dict[str, Param]) -> None:
    """Everything in a point is allowed."""
    values = decode(params, point)
    for key, param in params.items():
        assert param.allows(values[key]), (key, values[key])
        if isinstance(param, SubsetParam):
            for name, strength in param.strength_params(param.members).items():
                assert strength.allows(point[name]), (name, point[name])


@unhurried
@given(params=spaces, seed=st.integers(0, 99))
def test_points_drawn_and_changed_are_allowed(params: dict[str, Param], seed: int) -> None:
    rng, space = np.random.default_rng(seed), Points(params)
    point = space.draw(rng)
    check(point, params)
    for _ in range(10):
        point = space.change(point, rng)
        check(point, params)


@unhurried
@given(params=spaces, seed=st.integers(0, 99))
def test_features_tell_apart_what_trains_differently(params: dict[str, Param], seed: int) -> None:
    rng, space = np.random.default_rng(seed), Points(params)
    points = [space.draw(rng) for _ in range(12)]
    trained = [decode(params, point) for point in points]
    rows = space.features(points)
    assert rows.shape[0] == len(points)
    assert rows.min() >= -0.5
    assert rows.max() <= 1
    assert np.array_equal(space.features([encode(params, values) for values in trained]), rows)
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            assert np.array_equal(row, other) == (trained[i] == trained[j])


def test_a_range_as_narrow_as_numbers_allow_has_one_place() -> None:
    narrow = FloatParam(type="float", low=9.0, high=9.000000000000002, log=True)
    assert Points({"f": narrow}).features([{"f": narrow.low}, {"f": narrow.high}]).tolist() == [[0.5], [0.5]]


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "gp"])
def test_a_step_gives_the_numbers_that_a_space_file_has(sampler: str) -> None:
    param = FloatParam(type="float", low=0.1, high=0.7, step=0.1)
    study = study_of({"reconstruction_weight": param}, sampler, startup_trials=4)
    drawn = set()
    for number in range(40):
        trial = study.ask()
        drawn.add(suggest(trial, {"reconstruction_weight": param})["reconstruction_weight"])
        study.tell(trial, [number / 40, 0.5])
    assert drawn <= {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    assert 0.3 in drawn


def test_every_value_and_every_size_is_drawn_as_often() -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(type="subset", members=PAPER_13, min_size=2, max_size=4),
        "c": CategoricalParam(type="categorical", choices=("x", "y", "z")),
        "i": IntParam(type="int", low=3, high=6),
        "j": IntParam(type="int", low=2, high=8, step=3),
        "f": FloatParam(type="float", low=0.0, high=1.0, step=0.5),
        "g": FloatParam(type="float", low=1e-4, high=1.0, log=True),
    }
    rng, space = np.random.default_rng(0), Points(params)
    drawn = [decode(params, space.draw(rng)) for _ in range(6000)]

    def check_even(found: list[Any], expected: list[Any]) -> None:
        counts = Counter(found)
        assert set(counts) == set(expected)
        shares = [n * len(expected) / len(found) for n in counts.values()]
        assert shares == pytest.approx([1.0] * len(expected), abs=0.1)

    check_even([len(values["s"]) for values in drawn], [2, 3, 4])
    check_even([member for values in drawn for member in values["s"]], list(PAPER_13))
    check_even([values["c"] for values in drawn], ["x", "y", "z"])
    check_even([values["i"] for values in drawn], [3, 4, 5, 6])
    check_even([values["j"] for values in drawn], [2, 5, 8])
    check_even([values["f"] for values in drawn], [0.0, 0.5, 1.0])
    check_even([int(np.floor(np.log10(values["g"]))) for values in drawn], [-4, -3, -2, -1])


def test_a_change_is_small_and_reaches_far_at_times() -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(type="subset", members=PAPER_13),
        "f": FloatParam(type="float", low=0.0, high=1.0),
    }
    rng, space = np.random.default_rng(0), Points(params)
    point = encode(params, {"s": PAPER_13[:4], "f": 0.5})
    changed = [decode(params, space.change(point, rng)) for _ in range(600)]
    flipped = Counter(len(set(values["s"]) ^ set(PAPER_13[:4])) for values in changed)
    assert set(flipped) == {0, 1, 2}
    assert min(flipped.values()) > 150
    moved = np.abs([values["f"] - 0.5 for values in changed])
    assert np.median(moved) < 0.25 < 0.45 < moved.max()


def test_features_by_hand() -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(
            type="subset",
            members=("crop", "affine"),
            strengths={"crop": {"scale": FloatParam(type="float", low=0.0, high=2.0)}},
        ),
        "f": FloatParam(type="float", low=0.01, high=1.0, log=True),
        "c": CategoricalParam(type="categorical", choices=("x", "y")),
        "n": CategoricalParam(type="categorical", choices=(8, 2, 4)),
        "i": IntParam(type="int", low=4, high=4),
    }
    both = {"s": params["s"].members, "f": 0.1, "c": "y", "n": 8, "i": 4, "strengths.crop.scale": 2.0}  # type: ignore[union-attr]
    affine = {"s": ("affine",), "f": 1.0, "c": "x", "n": 4, "i": 4}
    rows = Points(params).features([encode(params, both), encode(params, affine)])
    members = params["s"].members  # type: ignore[union-attr]
    crop, other = members.index("crop"), members.index("affine")
    assert rows[:, crop].tolist() == [0.5, 0.0]
    assert rows[:, other].tolist() == [0.5, 1.0]
    assert rows[:, 2:].tolist() == [[0.5, 0.5, 0.0, 1.0, 1.0, 0.5], [0.0, 1.0, 1.0, 0.0, 0.5, 0.5]]


def test_a_change_of_method_draws_the_new_settings_at_random() -> None:
    params = mixed()
    rng, space = np.random.default_rng(0), Points(params)
    lord = {
        "method": "lord",
        "encoder_lr": 1e-3,
        "generator_lr": 1e-3,
        "embedding_lr": 1e-2,
        "lord.noise": 1.0,
    }
    changed = [decode(params, space.change(encode(params, lord), rng)) for _ in range(600)]
    others = [values for values in changed if values["method"] == "dcodr_norec"]
    assert {len(values["augmentations"]) for values in others} >= {1, 2, 3, 4}
    kept = [values["lord.noise"] for values in changed if values["method"] == "lord"]
    assert len(kept) > 300
    assert 0.5 < np.median(kept) < 2
