"""Attribution: the axioms of the Shapley value, planted effects, and silence where trials are too few."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.analysis import attribution
from tuning.analysis.attribution import Attribution, attribute, shapley_values
from tuning.analysis.evidence import Estimate
from tuning.pareto import FloatArray
from tuning.space.params import FloatParam, Param, SubsetParam

MEMBERS = ("crop", "gaussian_blur", "high_contrast", "affine", "grayscale")
PARAMS: dict[str, Param] = {
    "augmentations": SubsetParam(type="subset", members=MEMBERS),
    "encoder_lr": FloatParam(type="float", low=1e-4, high=1e-2, log=True),
}


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "DRAWS", 400)
    monkeypatch.setattr(attribution, "explained", lambda *_: 0.5)


@st.composite
def games(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    n = draw(st.integers(1, 5))
    numbers = st.floats(-10, 10)
    alone = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
    upper = np.zeros((n, n))
    for i, j in itertools.combinations(range(n), 2):
        upper[i, j] = draw(numbers)
    return alone, upper + upper.T


def worth(alone: FloatArray, interaction: FloatArray, players: tuple[int, ...]) -> float:
    pairs = itertools.combinations(players, 2)
    return float(sum(alone[i] for i in players) + sum(interaction[i, j] for i, j in pairs))


@given(games())
@settings(max_examples=40)
def test_the_closed_form_is_the_mean_over_all_orders(game: tuple[FloatArray, FloatArray]) -> None:
    n = len(game[0])
    total = np.zeros(n)
    for order in itertools.permutations(range(n)):
        for k, player in enumerate(order):
            total[player] += worth(*game, order[: k + 1]) - worth(*game, order[:k])
    np.testing.assert_allclose(shapley_values(*game), total / math.factorial(n), atol=1e-9)


@given(games())
def test_the_values_share_out_what_all_are_worth(game: tuple[FloatArray, FloatArray]) -> None:
    assert shapley_values(*game).sum() == pytest.approx(worth(*game, tuple(range(len(game[0])))), abs=1e-9)


@given(games(), st.floats(-10, 10))
def test_a_dummy_gets_what_it_is_worth_alone_and_twins_get_the_same(
    game: tuple[FloatArray, FloatArray], value: float
) -> None:
    alone, interaction = game
    with_dummy = shapley_values(np.append(alone, value), np.pad(interaction, (0, 1)))
    assert with_dummy[-1] == value
    np.testing.assert_allclose(with_dummy[:-1], shapley_values(alone, interaction), atol=1e-12)
    twin = np.pad(interaction, (0, 1))
    twin[-1, 1:-1] = twin[1:-1, -1] = interaction[0, 1:]
    values = shapley_values(np.append(alone, alone[0]), twin)
    assert values[-1] == pytest.approx(values[0], abs=1e-9)


def trials(n: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    subset = PARAMS["augmentations"]
    assert isinstance(subset, SubsetParam)
    return [
        {"augmentations": subset.draw(rng), "encoder_lr": float(10 ** rng.uniform(-4, -2))} for _ in range(n)
    ]


def planted(values: dict[str, Any]) -> float:
    """Crop and blur help, not so much together; contrast harms; the learning rate matters too."""
    inside = set(values["augmentations"])
    return (
        0.10 * ("crop" in inside)
        + 0.06 * ("gaussian_blur" in inside)
        - 0.08 * ({"crop", "gaussian_blur"} <= inside)
        - 0.05 * ("high_contrast" in inside)
        + 0.05 * math.log10(values["encoder_lr"])
    )


def of(result: Attribution, member: str) -> tuple[Estimate, Estimate]:
    effect = next(effect for effect in result.members if effect.member == member)
    assert effect.main is not None
    assert effect.shapley is not None
    return effect.main, effect.shapley


def holds(estimate: Estimate, value: float) -> bool:
    return estimate.low <= value <= estimate.high and estimate.high - estimate.low < 0.06


def test_planted_effects_are_found() -> None:
    rng = np.random.default_rng(0)
    tried = trials(80, rng)
    reached = [planted(values) + 0.02 * rng.standard_normal() for values in tried]
    result = attribute(PARAMS, "augmentations", tried, reached)

    def added(member: str) -> float:
        """Main effect by its definition: the set of every trial with the member less the set without it."""
        changes = []
        for values in tried:
            rest = set(values["augmentations"]) - {member}
            more = planted(values | {"augmentations": rest | {member}})
            changes.append(more - planted(values | {"augmentations": rest}))
        return float(np.mean(changes))

    for member, shapley in zip(MEMBERS, [0.06, 0.02, -0.05, 0.0, 0.0], strict=True):
        estimates = of(result, member)
        assert holds(estimates[0], added(member))
        assert holds(estimates[1], shapley)
    assert of(result, "crop")[0].clear
    assert not of(result, "affine")[0].clear
    pairs = {frozenset((pair.first, pair.second)): pair for pair in result.pairs}
    assert len(pairs) == 10
    together = pairs[frozenset(("crop", "gaussian_blur"))].interaction
    assert together is not None
    assert holds(together, -0.08)
    assert together.clear
    other = pairs[frozenset(("affine", "grayscale"))].interaction
    assert other is not None
    assert not other.clear


def test_support_is_counted() -> None:
    rng = np.random.default_rng(1)
    tried = trials(30, rng)
    result = attribute(PARAMS, "augmentations", tried, rng.standard_normal(30).tolist())
    sets = [set(values["augmentations"]) for values in tried]
    for effect in result.members:
        assert effect.chosen == sum(effect.member in chosen for chosen in sets)
        assert effect.left_out == 30 - effect.chosen
    for pair in result.pairs:
        assert pair.both == sum({pair.first, pair.second} <= chosen for chosen in sets)
        assert pair.only_first == sum(pair.first in chosen for chosen in sets) - pair.both
        assert pair.both + pair.only_first + pair.only_second + pair.neither == 30


def test_without_enough_trials_there_is_no_figure() -> None:
    rng = np.random.default_rng(2)
    tried = trials(60, rng)
    for i, values in enumerate(tried):
        chosen = (set(values["augmentations"]) - {"affine", "grayscale"}) | {"crop"}
        values["augmentations"] = tuple(chosen | {"grayscale"} if i < 2 else chosen)
    result = attribute(PARAMS, "augmentations", tried, rng.standard_normal(60).tolist())
    effects = {effect.member: effect for effect in result.members}
    assert (effects["crop"].chosen, effects["crop"].left_out, effects["crop"].main) == (60, 0, None)
    assert (effects["affine"].chosen, effects["affine"].main, effects["affine"].shapley) == (0, None, None)
    assert (effects["grayscale"].chosen, effects["grayscale"].main) == (2, None)
    assert effects["high_contrast"].main is not None
    told = [{pair.first, pair.second} for pair in result.pairs if pair.interaction is not None]
    assert told == [{"gaussian_blur", "high_contrast"}]


def test_a_strength_counts_where_its_member_is_chosen() -> None:
    sigma = FloatParam(type="float", low=0.1, high=2.0)
    subset = SubsetParam(type="subset", members=MEMBERS, strengths={"gaussian_blur": {"sigma": sigma}})
    params: dict[str, Param] = {**PARAMS, "augmentations": subset}
    rng = np.random.default_rng(3)
    tried, reached = trials(60, rng), []
    for values in tried:
        reached.append(planted(values) + 0.02 * rng.standard_normal())
        if "gaussian_blur" in values["augmentations"]:
            values["strengths.gaussian_blur.sigma"] = rng.uniform(0.1, 2.0)
            reached[-1] += 0.2 * (values["strengths.gaussian_blur.sigma"] - 1.05)
    drawn = [v["strengths.gaussian_blur.sigma"] for v in tried if "strengths.gaussian_blur.sigma" in v]
    main, shapley = of(attribute(params, "augmentations", tried, reached), "gaussian_blur")
    assert holds(shapley, 0.02 + 0.2 * (np.mean(drawn) - 1.05))
    without = of(attribute(PARAMS, "augmentations", tried, reached), "gaussian_blur")[0]
    assert without.high - without.low > 1.5 * (main.high - main.low)


def test_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(4)
    tried, reached = trials(12, rng), rng.standard_normal(12).tolist()
    assert attribute(PARAMS, "augmentations", tried, reached) == attribute(
        PARAMS, "augmentations", tried, reached
    )
