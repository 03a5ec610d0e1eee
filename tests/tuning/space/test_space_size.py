"""Counts of a space, against an enumeration of it."""

import itertools
from typing import Any

import pytest
from pydantic import TypeAdapter

from tuning.space.params import Param
from tuning.space.size import describe_size, n_configurations

PARAMS: TypeAdapter[dict[str, Param]] = TypeAdapter(dict[str, Param])
MEMBERS = ["crop", "grayscale", "gaussian_blur", "affine", "random_erase"]
SUBSET: dict[str, Any] = {"type": "subset", "members": MEMBERS, "max_size": 3}
RULES = {"excluded": [["crop", "affine"]], "exclusive": [["grayscale", "gaussian_blur", "random_erase"]]}
SIGMA = {"gaussian_blur": {"sigma": {"type": "float", "low": 0.5, "high": 2.0, "step": 0.5}}}  # 4 values


def params(**content: Any) -> dict[str, Param]:
    return PARAMS.validate_python(content)


def sets(required: str | None = None, rules: bool = False) -> list[set[str]]:
    """Every set of one to three members, by the plain meaning of the rules."""
    found = []
    for size in (1, 2, 3):
        for chosen in map(set, itertools.combinations(MEMBERS, size)):
            broken = rules and (
                {"crop", "affine"} <= chosen
                or len(chosen & {"grayscale", "gaussian_blur", "random_erase"}) > 1
            )
            if not broken and (required is None or required in chosen):
                found.append(chosen)
    return found


@pytest.mark.parametrize("rules", [False, True])
@pytest.mark.parametrize("required", [None, "crop"])
def test_sets_are_counted_by_their_rules(required: str | None, rules: bool) -> None:
    content = SUBSET | (RULES if rules else {}) | {"required": [required] if required else []}
    assert n_configurations(params(augmentations=content)) == len(sets(required, rules))


def test_a_strength_counts_where_its_member_is_in_the_set() -> None:
    expected = sum(4 if "gaussian_blur" in chosen else 1 for chosen in sets(rules=True))
    assert n_configurations(params(augmentations=SUBSET | RULES | {"strengths": SIGMA})) == expected


def test_finite_settings_multiply() -> None:
    space = params(
        augmentations=SUBSET,
        epochs={"type": "int", "low": 2, "high": 10, "step": 2},
        method={"type": "categorical", "choices": ["dcodr", "dcodr_norec"]},
        temperature={"type": "float", "low": 0.1, "high": 0.5, "step": 0.2},
    )
    grid = itertools.product(sets(), (2, 4, 6, 8, 10), ("dcodr", "dcodr_norec"), (0.1, 0.3, 0.5))
    expected = len(list(grid))
    assert n_configurations(space) == expected
    assert describe_size(space) == f"{expected:,} configurations"


def test_a_continuum_has_no_number() -> None:
    space = params(
        augmentations=SUBSET | {"strengths": {"gaussian_blur": {"sigma": {**CONTINUOUS}}}},
        encoder_lr=CONTINUOUS,
        generator_lr=CONTINUOUS,
        **{"encoder.arch": {"type": "categorical", "choices": ["small", "resnet18"]}},
    )
    assert n_configurations(space) is None
    assert describe_size(space) == (
        f"{len(sets())} augmentation sets x 2 values of encoder.arch x 2 continuous settings, "
        "and 1 strength that is searched where its augmentation is in the set"
    )


CONTINUOUS = {"type": "float", "low": 0.1, "high": 2.0}


def test_a_method_counts_with_the_settings_that_it_uses() -> None:
    many = params(
        method={"type": "categorical", "choices": ["dcodr_norec", "lord"]},
        augmentations=SUBSET,
        encoder_lr={"type": "categorical", "choices": [1e-4, 1e-3]},
        **{"lord.noise": {"type": "categorical", "choices": [0.5, 1.0, 2.0]}},
    )
    assert n_configurations(many) == 2 * len(sets()) + 2 * 3
    many["temperature"] = params(t={"type": "float", "low": 0.1, "high": 0.5})["t"]
    assert n_configurations(many) is None
    assert describe_size(many).endswith("1 continuous setting, each searched where the method uses it")
