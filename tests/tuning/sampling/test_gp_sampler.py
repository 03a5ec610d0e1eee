"""The sampler goes where the front grows, learns from unfinished trials, and spreads what runs at once."""

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from dcodr.augmentation_names import PAPER_13
from dcodr.config import PRESETS
from tuning.params import FloatParam, Param, SubsetParam
from tuning.pareto import Direction, hypervolume
from tuning.sampling.encoding import suggest
from tuning.sampling.gp_sampler import GPSampler
from tuning.sampling.sampler import SpaceSampler
from tuning.settings import Resources, SearchSettings
from tuning.space import Space

PARAMS: dict[str, Param] = {
    "augmentations": SubsetParam(type="subset", members=PAPER_13, max_size=4),
    "temperature": FloatParam(type="float", low=0.05, high=0.5, log=True),
}
BOTH: dict[str, Direction] = {"a": "maximize", "b": "minimize"}


def study_of(
    sampler: str = "gp",
    objectives: dict[str, Direction] = BOTH,
    params: dict[str, Param] = PARAMS,
    startup: int = 8,
    seed: int = 0,
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = Space(
        name="s",
        base=PRESETS["synthetic"],
        params=params,
        objectives=objectives,
        search=SearchSettings.model_validate({"sampler": sampler, "startup_trials": startup}),
        resources=Resources(),
    )
    return optuna.create_study(directions=list(objectives.values()), sampler=SpaceSampler(space, seed))


def trade_off(values: dict[str, Any]) -> list[float]:
    """Two members raise what each objective rewards, the others get in the way; the temperature decides."""
    shares = {member: 1 / len(values["augmentations"]) for member in values["augmentations"]}
    warmth = np.log(values["temperature"] / 0.05) / np.log(10)
    a = 0.9 * shares.get("crop", 0) * (0.5 + 0.5 * warmth)
    b = 1 - 0.9 * shares.get("affine", 0) * (1 - 0.5 * warmth)
    return [float(a), float(b)]


def reached(study: optuna.Study, trials: int) -> float:
    values = []
    for _ in range(trials):
        trial = study.ask()
        values.append(trade_off(suggest(trial, PARAMS)))
        study.tell(trial, values[-1])
    return hypervolume(values, [0.0, 1.0], list(BOTH.values()))


def test_a_search_reaches_more_with_it_than_at_random() -> None:
    gp = [reached(study_of("gp", seed=seed), 32) for seed in range(3)]
    random = [reached(study_of("random", seed=seed), 96) for seed in range(3)]
    assert np.mean(gp) > np.mean(random)


def test_one_objective_is_enough() -> None:
    study = study_of(objectives={"a": "maximize"})
    for _ in range(30):
        trial = study.ask()
        study.tell(trial, trade_off(suggest(trial, PARAMS))[0])
    assert study.best_value > 0.8


def test_it_learns_from_trials_that_were_stopped_early() -> None:
    study = study_of()
    for i in range(36):
        trial = study.ask()
        values = suggest(trial, PARAMS)
        figures = dict(zip(BOTH, trade_off(values), strict=True))
        trial.set_user_attr("epoch/1", {"training": {}, "figures": figures, "intervals": {}})
        study.tell(trial, list(figures.values()) if i == 0 else None, TrialState(1 if i == 0 else 2))
    late = [trial.params for trial in study.trials[20:]]
    wanted = sum(params["augmentations.crop"] or params["augmentations.affine"] for params in late)
    assert wanted > 0.8 * len(late)


def test_trials_that_run_at_once_differ() -> None:
    study = study_of()
    reached(study, 16)
    running = [suggest(study.ask(), PARAMS) for _ in range(12)]
    assert len({values["augmentations"] for values in running}) > 2
    temperatures = [values["temperature"] for values in running]
    assert max(temperatures) > 1.5 * min(temperatures)


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_it_avoids_what_is_infeasible(state: TrialState) -> None:
    params: dict[str, Param] = {"temperature": FloatParam(type="float", low=0.0, high=1.0)}

    def late(limit: float) -> "np.ndarray[Any, np.dtype[np.float64]]":
        study, drawn = study_of(params=params), []
        for _ in range(40):
            trial = study.ask()
            drawn.append(suggest(trial, params)["temperature"])
            trial.set_constraint("feasible", float(drawn[-1] > limit))
            if drawn[-1] > limit and state == TrialState.PRUNED:
                study.tell(trial, state=state)
            else:
                study.tell(trial, [drawn[-1], 0.5])
        return np.array(drawn[20:])

    assert np.mean(late(limit=1.0) > 0.7) > 0.6
    assert np.mean(late(limit=0.5) > 0.7) < 0.2


def test_failed_trials_say_nothing() -> None:
    study = study_of(startup=2)
    for _ in range(6):
        trial = study.ask()
        suggest(trial, PARAMS)
        study.tell(trial, state=TrialState.FAIL)
    assert suggest(study.ask(), PARAMS)["augmentations"]


def test_a_long_training_teaches_once_for_each_halving() -> None:
    base = PRESETS["synthetic"].model_copy(update={"epochs": 200})
    space = Space(
        name="s",
        base=base,
        params=PARAMS,
        objectives=BOTH,
        search=SearchSettings(),
        resources=Resources(),
    )
    study = study_of()
    trial = study.ask()
    suggest(trial, PARAMS)
    for epoch in range(10, 161, 10):
        noted = {"training": {}, "figures": {"a": epoch / 200, "b": 0.5}, "intervals": {}}
        trial.set_user_attr(f"epoch/{epoch}", noted)
    judged = GPSampler(space, np.random.default_rng(0))._judged(study.trials[0])
    assert [(200 * 2**training, figures[0]) for training, figures in judged] == [
        pytest.approx((epoch, epoch / 200)) for epoch in (10, 20, 50, 100, 160)
    ]
