"""Every trial drawn is one the space allows, and what Optuna records is what is trained."""

from collections import Counter

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcodr.augmentation_names import PAPER_13
from dcodr.config import PRESETS
from tuning.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.sampler import SpaceSampler, decode, distributions, encode
from tuning.space import Resources, SearchSettings, Space


def make_space(params: dict[str, Param], sampler: str = "tpe", startup_trials: int = 4) -> Space:
    return Space(
        name="s",
        base=PRESETS["synthetic"],
        params=params,
        objectives={"a": "maximize", "b": "minimize"},
        search=SearchSettings.model_validate({"sampler": sampler, "startup_trials": startup_trials}),
        resources=Resources(),
    )


@st.composite
def subsets(draw: st.DrawFn) -> SubsetParam:
    members = draw(st.lists(st.sampled_from(PAPER_13), min_size=1, unique=True))
    low = draw(st.integers(1, len(members)))
    high = draw(st.none() | st.integers(low, len(members)))
    return SubsetParam(type="subset", members=tuple(members), min_size=low, max_size=high)


@st.composite
def floats(draw: st.DrawFn) -> FloatParam:
    low = draw(st.floats(1e-4, 10))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.1, 0.25, 1.0]))
        tenths = draw(st.integers(0, 50))
        high = (10 * tenths + draw(st.integers(0, 9)) * round(100 * step)) / 100
        return FloatParam(type="float", low=tenths / 10, high=high, step=step)
    return FloatParam(type="float", low=low, high=low * draw(st.floats(1, 100)), log=draw(st.booleans()))


@st.composite
def ints(draw: st.DrawFn) -> IntParam:
    low = draw(st.integers(1, 100))
    return IntParam(type="int", low=low, high=low + draw(st.integers(0, 50)), log=draw(st.booleans()))


choices = st.sampled_from([("x", "y"), (1, 2, 3), (True, False), ("only",), (0.5, "a", 3)])
categoricals = choices.map(lambda c: CategoricalParam(type="categorical", choices=c))
spaces = st.fixed_dictionaries({"s": subsets(), "f": floats(), "i": ints(), "c": categoricals})


@settings(max_examples=25, deadline=None)
@given(params=spaces, seed=st.integers(0, 99))
def test_every_drawn_trial_is_allowed(params: dict[str, Param], seed: int) -> None:
    space = make_space(params)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=SpaceSampler(space, seed))
    for i in range(8):
        trial = study.ask(distributions(params))
        values = decode(params, trial.params)
        for key, param in params.items():
            assert param.allows(values[key]), (key, values[key])
        assert encode(params, values) == trial.params
        study.tell(trial, [float(len(values["s"])), float(i)])
    recorded = [decode(params, trial.params) for trial in study.trials]
    assert all(params["s"].allows(values["s"]) for values in recorded)


def test_tpe_moves_towards_better_subsets() -> None:
    member = "crop"
    params: dict[str, Param] = {"s": SubsetParam(type="subset", members=PAPER_13, max_size=4)}
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=SpaceSampler(make_space(params, startup_trials=15), 0)
    )
    for _ in range(60):
        trial = study.ask(distributions(params))
        chosen = decode(params, trial.params)["s"]
        study.tell(trial, [float(member in chosen), float("affine" in chosen)])
    late = [decode(params, trial.params)["s"] for trial in study.trials[30:]]
    assert sum(member in chosen for chosen in late) > 0.6 * len(late)
    assert sum("affine" in chosen for chosen in late) < 0.25 * len(late)


def test_random_subset_sizes_are_uniform() -> None:
    params: dict[str, Param] = {"s": SubsetParam(type="subset", members=PAPER_13, min_size=2, max_size=5)}
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=SpaceSampler(make_space(params, "random"), 0)
    )
    drawn = [decode(params, study.ask(distributions(params)).params)["s"] for _ in range(400)]
    sizes = Counter(map(len, drawn))
    assert set(sizes) == {2, 3, 4, 5}
    assert all(70 < count < 130 for count in sizes.values())
    members = Counter(member for chosen in drawn for member in chosen)
    expected = 400 * 3.5 / 13
    assert all(abs(members[name] - expected) < 0.35 * expected for name in PAPER_13)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_draws_depend_on_the_seed_alone(sampler: str) -> None:
    params: dict[str, Param] = {
        "s": SubsetParam(type="subset", members=PAPER_13),
        "f": FloatParam(type="float", low=0.1, high=1.0),
    }

    def draw(seed: int) -> list[dict[str, object]]:
        sampling = SpaceSampler(make_space(params, sampler), seed)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampling)
        for i in range(8):
            study.tell(study.ask(distributions(params)), [float(i), 0.0])
        return [trial.params for trial in study.trials]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_bounds_are_inclusive() -> None:
    params: dict[str, Param] = {"i": IntParam(type="int", low=1, high=3)}
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=SpaceSampler(make_space(params, "random"), 0)
    )
    assert {study.ask(distributions(params)).params["i"] for _ in range(60)} == {1, 2, 3}
