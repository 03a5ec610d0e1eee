"""Sets and numbers that a parameter allows, against plain enumeration."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dcodr.augmentations.names import AUGMENTATIONS, PAPER_13
from tuning.space.params import FloatParam, IntParam, SubsetParam

FEW = AUGMENTATIONS[:6]
unhurried = settings(max_examples=50)
seeds = st.integers(0, 99)
names = st.lists(st.sampled_from(FEW), unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn, allow_a_set: bool) -> dict[str, Any]:
    """Draw rules of a subset that name only its members; if asked, they allow at least one set."""
    members = draw(st.lists(st.sampled_from(FEW), min_size=1, unique=True))
    allowed = set(draw(st.lists(st.sampled_from(members), min_size=1, unique=True))) if allow_a_set else set()
    least, most = (len(allowed), len(allowed)) if allow_a_set else (3, 1)
    groups = [
        group
        for size in range(2, len(members) + 1)
        for group in itertools.combinations(members, size)
        if len(allowed & set(group)) < 2
    ]
    pairs = [group for group in groups if len(group) == 2]
    return {
        "members": members,
        "min_size": draw(st.integers(1, min(least, 3))),
        "max_size": draw(st.none() | st.integers(most, len(members))),
        "required": draw(st.lists(st.sampled_from(sorted(allowed) or members), max_size=2, unique=True)),
        "excluded": draw(st.lists(st.sampled_from(pairs), max_size=4)) if pairs else [],
        "exclusive": draw(st.lists(st.sampled_from(groups), max_size=2)) if groups else [],
    }


def subset(**fields: Any) -> SubsetParam:
    return SubsetParam.model_validate({"type": "subset", **fields})


def enumerated(drawn: dict[str, Any]) -> list[set[str]]:
    """Every set that the rules allow, one by one."""
    return [
        set(chosen)
        for size in range(len(drawn["members"]) + 1)
        for chosen in itertools.combinations(drawn["members"], size)
        if drawn["min_size"] <= size <= (drawn["max_size"] or len(drawn["members"]))
        and set(drawn["required"]) <= set(chosen)
        and not any(set(pair) <= set(chosen) for pair in drawn["excluded"])
        and not any(len(set(group) & set(chosen)) > 1 for group in drawn["exclusive"])
    ]


@unhurried
@given(drawn=rules(allow_a_set=False))
def test_a_subset_allows_what_its_rules_say_or_is_refused(drawn: dict[str, Any]) -> None:
    allowed = enumerated(drawn)
    if not allowed:
        with pytest.raises(ValidationError, match=r"no set is allowed|do not fit"):
            subset(**drawn)
        return
    param = subset(**drawn)
    assert param.n_values == len(allowed)
    for size in range(len(FEW) + 1):
        for chosen in itertools.combinations(FEW, size):
            assert param.allows(chosen) == (set(chosen) in allowed)
            if set(chosen) <= set(param.members):
                assert param.fits(chosen) == any(set(chosen) <= other for other in allowed)


@unhurried
@given(drawn=rules(allow_a_set=True), chosen=names, seed=seeds)
def test_repair_changes_the_fewest_members(drawn: dict[str, Any], chosen: tuple[str, ...], seed: int) -> None:
    param, rng = subset(**drawn), np.random.default_rng(seed)
    repaired = param.repair(chosen, rng)
    inside = set(chosen) & set(param.members)
    assert param.allows(repaired)
    assert len(set(repaired) ^ inside) == min(len(inside ^ other) for other in enumerated(drawn))
    assert param.repair(repaired, rng) == repaired
    assert param.allows(param.draw(rng))


def test_sets_are_in_canonical_order_whatever_the_order_of_the_members() -> None:
    param = subset(members=("gaussian_blur", "crop", "affine"), min_size=3)
    assert param.draw(np.random.default_rng(0)) == ("affine", "crop", "gaussian_blur")
    assert param.repair({"crop"}, np.random.default_rng(0)) == ("affine", "crop", "gaussian_blur")


def test_all_nearest_sets_are_as_likely() -> None:
    param, rng = subset(members=FEW, max_size=2), np.random.default_rng(0)
    repaired = Counter(param.repair(FEW[:3], rng) for _ in range(3000))
    assert set(repaired) == set(itertools.combinations(FEW[:3], 2))
    assert all(abs(count - 1000) < 5 * math.sqrt(1000) for count in repaired.values())


def test_random_sizes_are_uniform_and_so_are_the_sets_of_a_size() -> None:
    param = subset(members=PAPER_13, min_size=2, max_size=5, excluded=(("crop", "affine"),))
    rng = np.random.default_rng(0)
    drawn = [param.draw(rng) for _ in range(4000)]
    sizes = Counter(map(len, drawn))
    assert set(sizes) == {2, 3, 4, 5}
    assert all(abs(count - 1000) < 5 * math.sqrt(1000) for count in sizes.values())
    pairs = Counter(chosen for chosen in drawn if len(chosen) == 2)
    assert len(pairs) == math.comb(13, 2) - 1
    assert max(pairs.values()) < 13 + 5 * math.sqrt(13)


def test_rules_that_leave_no_set_are_refused_with_their_names() -> None:
    with pytest.raises(
        ValidationError, match="sizes from 1 to 3, required, excluded and exclusive contradict each other"
    ):
        subset(members=FEW[:3], required=FEW[:2], excluded=(FEW[:2],))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"required": ("affin",)}, r"required\n  'affin' is not a member \(did you mean affine\?\)"),
        ({"excluded": (("crop", "grayscal"),)}, r"excluded\.0\n  'grayscal' is not a member"),
        ({"excluded": (("crop", "crop"),)}, r"excluded\.0\n  crop is given twice"),
        ({"exclusive": (("crop", "affine", "Crop"),)}, r"exclusive\.0\n  'Crop' is not a member"),
        ({"strengths": {"gaussian_blur": {}}}, r"strengths\.gaussian_blur\n  'gaussian_blur' is not a mem"),
        ({"min_size": 4}, "sizes from 4 to 3 do not fit 3 members"),
        ({"members": ("crop", "crop")}, "crop is given twice"),
        ({"members": ("crop", "afine")}, r"unknown augmentation 'afine' \(did you mean affine\?\)"),
    ],
)
def test_wrong_rules_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        subset(**{"members": ("crop", "affine", "grayscale")} | fields)


@pytest.mark.parametrize("value", ["crop", ("crop", "crop"), ("crop", "simsiam"), 3, None])
def test_what_is_no_set_of_members_is_not_allowed(value: object) -> None:
    assert not subset(members=("crop", "affine")).allows(value)


def test_strengths_come_with_their_member() -> None:
    sigma = {"type": "float", "low": 0.5, "high": 2.0}
    param = subset(
        members=("crop", "gaussian_blur"), strengths={"gaussian_blur": {"sigma": sigma}, "crop": {}}
    )
    assert param.strength_params({"crop"}) == {}
    assert param.strength_params({"crop", "gaussian_blur"}) == {
        "strengths.gaussian_blur.sigma": FloatParam.model_validate(sigma)
    }


@pytest.mark.parametrize(
    ("param", "values"),
    [
        (IntParam(type="int", low=2, high=5), [2, 3, 4, 5]),
        (IntParam(type="int", low=2, high=8, step=3), [2, 5, 8]),
        (FloatParam(type="float", low=0.1, high=0.5, step=0.1), [0.1, 0.2, 0.3, 0.4, 0.5]),
        (FloatParam(type="float", low=0.3, high=0.3), [0.3]),
    ],
)
def test_numbers_with_steps_are_counted(param: IntParam | FloatParam, values: list[float]) -> None:
    assert param.n_values == len(values)
    assert all(param.allows(value) for value in values)
    assert not any(param.allows(value + 0.05) for value in values)
    assert not param.allows(values[0] - 1)
    assert not param.allows(str(values[0]))
