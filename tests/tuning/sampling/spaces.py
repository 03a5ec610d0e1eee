"""Spaces of every kind, for hypothesis; spaces of given parameters, and studies that draw from them."""

from typing import Any, get_args

import optuna
from hypothesis import strategies as st

from dcodr.augmentations.names import PAPER_13
from dcodr.config import PRESETS
from dcodr.config.methods import MethodName
from tuning.pareto import Direction
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.space.settings import Resources, SearchSettings

BOTH: dict[str, Direction] = {"a": "maximize", "b": "minimize"}


def space_of(params: dict[str, Param], objectives: dict[str, Direction] = BOTH, **search: Any) -> Space:
    return Space(
        name="s",
        base=PRESETS["synthetic"],
        params=params,
        objectives=objectives,
        search=SearchSettings.model_validate(search),
        resources=Resources(),
    )


def study_of(
    params: dict[str, Param],
    sampler: str,
    startup_trials: int = 4,
    seed: int = 0,
    objectives: dict[str, Direction] = BOTH,
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = space_of(params, objectives, sampler=sampler, startup_trials=startup_trials)
    return optuna.create_study(directions=list(objectives.values()), sampler=SpaceSampler(space, seed))


def mixed() -> dict[str, Param]:
    """Return a space over all methods, with a setting of each."""

    def number(low: float, high: float) -> FloatParam:
        return FloatParam(type="float", low=low, high=high, log=True)

    return {
        "augmentations": SubsetParam(
            type="subset",
            members=PAPER_13[:7],
            strengths={"affine": {"degrees": number(5, 90)}},
        ),
        "temperature": number(0.05, 0.5),
        "encoder_lr": number(1e-4, 1e-2),
        "method": CategoricalParam(type="categorical", choices=get_args(MethodName)),
        "generator_lr": number(1e-4, 1e-2),
        "embedding_lr": number(1e-3, 1e-1),
        "reconstruction_weight": number(0.03, 3.0),
        "simclr.projection_dim": IntParam(type="int", low=8, high=256, log=True),
        "lord.noise": number(0.1, 3.0),
        "ml_vae.kl_weight": number(0.01, 10.0),
        "drnet.adversarial_weight": number(0.01, 1.0),
    }


@st.composite
def subsets(draw: st.DrawFn) -> SubsetParam:
    members = draw(st.lists(st.sampled_from(PAPER_13), min_size=2, max_size=8, unique=True))
    first, second = members[:2]
    low = draw(st.integers(1, len(members) - 1))
    strengths: list[dict[str, FloatParam | IntParam]] = [
        {"a": FloatParam(type="float", low=0.1, high=1.0)},
        {"a": IntParam(type="int", low=1, high=3), "b": FloatParam(type="float", low=2.0, high=2.0)},
    ]
    return SubsetParam(
        type="subset",
        members=tuple(members),
        min_size=low,
        max_size=draw(st.none() | st.integers(low, len(members))),
        required=draw(st.sampled_from([(), (first,)])),
        excluded=draw(st.sampled_from([(), ((first, second),)])),
        strengths=draw(st.dictionaries(st.sampled_from(members), st.sampled_from(strengths), max_size=3)),
    )


@st.composite
def floats(draw: st.DrawFn) -> FloatParam:
    low = draw(st.floats(1e-4, 10))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.1, 0.25, 1.0]))
        tenths = draw(st.integers(0, 50))
        high = (10 * tenths + draw(st.integers(0, 9)) * round(100 * step)) / 100
        return FloatParam(type="float", low=tenths / 10, high=high, step=step)
    high = low * draw(st.just(1.0) | st.floats(1.001, 100))  # not narrower than features can tell apart
    return FloatParam(type="float", low=low, high=high, log=draw(st.booleans()))


@st.composite
def ints(draw: st.DrawFn) -> IntParam:
    low = draw(st.integers(1, 100))
    return IntParam(type="int", low=low, high=low + draw(st.integers(0, 50)), log=draw(st.booleans()))


choices = st.sampled_from([("x", "y"), (1, 2, 3), (True, False), ("only",), (0.5, "a", 3)])
categoricals = choices.map(lambda c: CategoricalParam(type="categorical", choices=c))
spaces = st.fixed_dictionaries({"s": subsets(), "f": floats(), "i": ints(), "c": categoricals})
