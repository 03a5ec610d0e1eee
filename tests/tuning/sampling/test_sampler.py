"""Every trial drawn is one the space allows, and what Optuna records is what is trained."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from dcodr.augmentations.names import PAPER_13
from dcodr.config.methods import has_effect
from tests.tuning.sampling.spaces import mixed, spaces, study_of
from tuning.ledger.encoding import decode, encode, is_whole, suggest
from tuning.space.params import FloatParam, IntParam, Param, SubsetParam

SAMPLERS = ("tpe", "nsga2", "gp", "random")
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


Objectives = Callable[[dict[str, Any]], list[float]]


def run(
    study: optuna.Study, params: dict[str, Param], n: int, objectives: Objectives
) -> list[dict[str, Any]]:
    """Draw some trials that all complete; their values."""
    drawn = []
    for _ in range(n):
        trial = study.ask()
        drawn.append(suggest(trial, params))
        study.tell(trial, objectives(drawn[-1]))
    return drawn


def size_and_heat(values: dict[str, Any]) -> list[float]:
    return [float(len(values["s"])), float(values.get("f", 0.0))]


@each_sampler
def test_every_drawn_trial_is_allowed_however_the_others_ended(sampler: str) -> None:
    @settings(max_examples=5 if sampler == "gp" else 15)
    @given(params=spaces, seed=st.integers(0, 99))
    def check(params: dict[str, Param], seed: int) -> None:
        check_trials(study_of(params, sampler, startup_trials=2, seed=seed), params)

    check()


def check_trials(study: optuna.Study, params: dict[str, Param]) -> None:
    subset = cast("SubsetParam", params["s"])
    for i in range(12):
        trial = study.ask()
        assert not is_whole(params, trial.params)
        values = suggest(trial, params)
        strengths = subset.strength_params(values["s"])
        assert set(values) == {*params, *strengths}
        for key, param in {**params, **strengths}.items():
            assert param.allows(values[key]), (key, values[key])
        recorded = study.trials[trial.number].params
        assert is_whole(params, recorded)
        assert decode(params, recorded) == values
        assert encode(params, values) == recorded
        if i % 6 == 1:
            study.tell(trial, state=TrialState.PRUNED)
        elif i % 6 == 2:
            study.tell(trial, state=TrialState.FAIL)
        elif i % 6 != 4:  # which runs to the end
            trial.set_constraint("feasible", float(i % 6 == 3))
            study.tell(trial, size_and_heat(values))


MIXED: dict[str, Param] = {
    "s": SubsetParam(
        type="subset",
        members=PAPER_13[:6],
        strengths={PAPER_13[0]: {"a": FloatParam(type="float", low=0.1, high=1.0)}},
    ),
    "f": FloatParam(type="float", low=0.1, high=1.0),
}


@each_sampler
def test_draws_depend_on_the_seed_alone(sampler: str) -> None:
    def draw(seed: int, disturbance: int) -> list[dict[str, Any]]:
        np.random.seed(disturbance)  # noqa: NPY002
        return run(study_of(MIXED, sampler, seed=seed), MIXED, 5, size_and_heat)

    drawn = draw(3, disturbance=0)
    assert draw(3, disturbance=1) == drawn
    assert draw(4, disturbance=0) != drawn


def test_a_proposal_that_was_tried_gives_way_to_a_random_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(RandomSampler):
        def sample_relative(self, *_: Any) -> dict[str, Any]:
            return {f"s.{name}": name in PAPER_13[:2] for name in PAPER_13}

    monkeypatch.setattr("tuning.sampling.sampler.TPESampler", lambda **_: Stubborn())
    params: dict[str, Param] = {"s": SubsetParam(type="subset", members=PAPER_13)}
    drawn = run(study_of(params, "tpe"), params, 20, size_and_heat)
    assert drawn[0]["s"] == PAPER_13[:2]
    assert sum(values["s"] == PAPER_13[:2] for values in drawn) < 3
    assert len({len(values["s"]) for values in drawn}) > 6


@each_sampler
def test_subsets_that_break_the_rules_never_reach_optuna(sampler: str) -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(
            type="subset",
            members=PAPER_13,
            min_size=2,
            max_size=3,
            required=("crop",),
            excluded=(("affine", "grayscale"),),
            exclusive=(("high_brightness", "high_contrast", "high_saturation"),),
        )
    }
    study = study_of(params, sampler)
    run(study, params, 20, size_and_heat)
    for trial in study.trials:
        chosen = {name.removeprefix("s.") for name, inside in trial.params.items() if inside}
        assert 2 <= len(chosen) <= 3
        assert "crop" in chosen
        assert not {"affine", "grayscale"} <= chosen
        assert len(chosen & {"high_brightness", "high_contrast", "high_saturation"}) <= 1


def test_tpe_moves_towards_better_subsets_and_strengths() -> None:
    strength = FloatParam(type="float", low=0.0, high=1.0)
    params: dict[str, Param] = {
        "s": SubsetParam(type="subset", members=PAPER_13, max_size=4, strengths={"crop": {"a": strength}})
    }

    def objectives(values: dict[str, Any]) -> list[float]:
        strong = values.get("strengths.crop.a", 0.0)
        return [strong, float("affine" in values["s"])]

    late = run(study_of(params, "tpe", startup_trials=15), params, 60, objectives)[30:]
    with_crop = [values for values in late if "crop" in values["s"]]
    assert len(with_crop) > 0.6 * len(late)
    assert np.mean([values["strengths.crop.a"] for values in with_crop]) > 0.65
    assert sum("affine" in values["s"] for values in late) < 0.25 * len(late)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_what_is_infeasible_is_avoided(state: TrialState, sampler: str) -> None:
    params: dict[str, Param] = {"f": FloatParam(type="float", low=0.0, high=1.0)}

    def late_draws(limit: float) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Of a search that wants as much as is feasible: up to the limit."""
        study, drawn = study_of(params, sampler, startup_trials=10), []
        for _ in range(30):
            trial = study.ask()
            drawn.append(suggest(trial, params)["f"])
            trial.set_constraint("feasible", float(drawn[-1] > limit))
            if drawn[-1] > limit and state == TrialState.PRUNED:
                study.tell(trial, state=state)
            else:
                study.tell(trial, [drawn[-1], 0.0])
        return np.array(drawn[15:])

    assert np.mean(late_draws(limit=1.0) > 0.7) > 0.6
    assert np.mean(late_draws(limit=0.5) > 0.7) < 0.2


def test_bounds_are_inclusive() -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(type="subset", members=("crop", "affine")),
        "i": IntParam(type="int", low=1, high=3),
        "j": IntParam(type="int", low=2, high=8, step=3),
    }
    drawn = run(study_of(params, "random"), params, 60, size_and_heat)
    assert {values["i"] for values in drawn} == {1, 2, 3}
    assert {values["j"] for values in drawn} == {2, 5, 8}


@each_sampler
def test_a_trial_draws_what_its_method_uses_and_no_more(sampler: str) -> None:
    params = mixed()
    study = study_of(params, sampler, startup_trials=4)
    subset = cast("SubsetParam", params["augmentations"])
    methods = set()
    for i in range(16):
        trial = study.ask()
        values = suggest(trial, params)
        known = {key for key in params if has_effect(key, values["method"])}
        assert values.keys() - {"strengths.affine.degrees"} == known
        members = {f"augmentations.{member}" for member in subset.members}
        flat = known - {"augmentations"} | (members if "augmentations" in known else set())
        assert trial.params.keys() - {"strengths.affine.degrees"} == flat
        assert encode(params, values) == trial.params
        assert is_whole(params, trial.params)
        assert not is_whole(params, {key: trial.params[key] for key in list(trial.params)[1:]})
        methods.add(values["method"])
        study.tell(trial, [0.01 * i, 0.5])
    assert len(methods) > 2


LARGE = (2**32 - 1, 2**32, 2**63 - 1)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
@pytest.mark.parametrize("seed", LARGE)
def test_a_seed_beyond_32_bits_is_as_good_as_any(sampler: str, seed: int) -> None:
    """Also in a resumed search, whose seed grows with its number of trials."""
    params = mixed()
    drawn = []
    for begun in (0, 0, 1):
        study = study_of(params, sampler, startup_trials=2, seed=seed + begun)
        drawn.append(run(study, params, 4, lambda values: [values["encoder_lr"], 0.5]))
    assert drawn[0] == drawn[1] != drawn[2]
