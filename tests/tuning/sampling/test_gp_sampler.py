"""The sampler goes where the front grows, learns from unfinished trials, and spreads what runs at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from dcodr.augmentations.names import PAPER_13
from tests.tuning.sampling.spaces import BOTH, space_of, study_of
from tuning.ledger.encoding import suggest
from tuning.ledger.trials import PAPER
from tuning.pareto import Direction, hypervolume, non_dominated
from tuning.sampling.gaussian_process import FloatArray, GaussianProcess
from tuning.sampling.gp_sampler import nearness
from tuning.sampling.news import News
from tuning.sampling.sampler import SpaceSampler
from tuning.space.params import FloatParam, Param, SubsetParam

PARAMS: dict[str, Param] = {
    "augmentations": SubsetParam(type="subset", members=PAPER_13, max_size=4),
    "temperature": FloatParam(type="float", low=0.05, high=0.5, log=True),
}


def gp_study(startup_trials: int = 8, seed: int = 0, objectives: dict[str, Direction] = BOTH) -> optuna.Study:
    return study_of(PARAMS, "gp", startup_trials, seed, objectives)


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
    gp = [reached(gp_study(seed=seed), 24) for seed in range(2)]
    random = [reached(study_of(PARAMS, "random", seed=seed), 72) for seed in range(2)]
    assert np.mean(gp) > np.mean(random)


def share_better(aim: str) -> float:
    """Return the share of a sampler's proposals that are better than the baseline in both objectives."""
    number = FloatParam(type="float", low=0, high=1)
    params: dict[str, Param] = {"quality": number, "balance": number}
    space = space_of(params, sampler="gp", startup_trials=12, aim=aim)
    study = optuna.create_study(directions=list(BOTH.values()), sampler=SpaceSampler(space, 0))
    study.enqueue_trial({"quality": 0.8, "balance": 0.5}, user_attrs={"origin": PAPER})
    better = []
    for _ in range(28):
        trial = study.ask()
        drawn = suggest(trial, params)
        a, b = drawn["quality"] * drawn["balance"], 1 - drawn["quality"] * (1 - drawn["balance"])
        study.tell(trial, [a, b])
        better.append(a > 0.4 and b < 0.6)
    return float(np.mean(better[12:]))


def test_aimed_at_the_baseline_it_proposes_what_is_better_in_every_objective() -> None:
    assert share_better("baseline") > 0.5 > share_better("front")


def test_one_objective_is_enough() -> None:
    def best(sampler: str, seed: int) -> float:
        study = study_of(PARAMS, sampler, 8, seed, {"a": "maximize"})
        for _ in range(24):
            trial = study.ask()
            study.tell(trial, trade_off(suggest(trial, PARAMS))[0])
        return study.best_value

    gp, random = ([best(sampler, seed) for seed in range(4)] for sampler in ("gp", "random"))
    assert np.mean(gp) > np.mean(random) + 0.2


def test_it_learns_from_trials_that_were_stopped_early() -> None:
    study = gp_study()
    for i in range(36):
        trial = study.ask()
        values = suggest(trial, PARAMS)
        metrics = dict(zip(BOTH, trade_off(values), strict=True))
        trial.set_user_attr("epoch/1", {"training": {}, "figures": metrics, "intervals": {}})
        study.tell(trial, list(metrics.values()) if i == 0 else None, TrialState(1 if i == 0 else 2))
    late = [trial.params for trial in study.trials[20:]]
    wanted = sum(params["augmentations.crop"] or params["augmentations.affine"] for params in late)
    assert wanted > 0.8 * len(late)


def test_it_proposes_when_no_trial_was_trained_to_its_end() -> None:
    study = gp_study(startup_trials=2)
    for _ in range(3):
        trial = study.ask()
        metrics = dict(zip(BOTH, trade_off(suggest(trial, PARAMS)), strict=True))
        trial.set_user_attr("epoch/1", {"training": {}, "figures": metrics, "intervals": {}})
        study.tell(trial, state=TrialState.PRUNED)
    assert suggest(study.ask(), PARAMS)["augmentations"]


def test_it_proposes_while_a_trial_without_metrics_runs() -> None:
    """A collapsed code has no metrics; its trial is closed a moment later."""
    study = gp_study(startup_trials=2)
    reached(study, 4)
    trial = study.ask()
    suggest(trial, PARAMS)
    trial.set_user_attr("epoch/1", {"training": {}, "figures": {}, "intervals": {}})
    assert suggest(study.ask(), PARAMS)["augmentations"]


def test_trials_that_run_at_once_differ() -> None:
    study = gp_study()
    reached(study, 16)
    running = [suggest(study.ask(), PARAMS) for _ in range(12)]
    assert len({values["augmentations"] for values in running}) > 2
    temperatures = [values["temperature"] for values in running]
    assert max(temperatures) > 1.5 * min(temperatures)


def test_failed_trials_say_nothing() -> None:
    study = gp_study(startup_trials=2)
    for _ in range(6):
        trial = study.ask()
        suggest(trial, PARAMS)
        study.tell(trial, state=TrialState.FAIL)
    assert suggest(study.ask(), PARAMS)["augmentations"]


@dataclass
class Learned:
    """Evaluations that a process was last fitted to: training shares and values of one objective."""

    shares: FloatArray = field(default_factory=lambda: np.empty(0))
    values: FloatArray = field(default_factory=lambda: np.empty(0))


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[Learned]:
    """The evaluations that each process of the next sampler learns from, in the order of the objectives."""
    noted: list[Learned] = []

    class Noting(GaussianProcess):
        def __init__(self, n_features: int) -> None:
            super().__init__(n_features)
            self.learned = Learned()
            noted.append(self.learned)

        def fit(self, x: FloatArray, training: FloatArray, y: FloatArray) -> None:
            super().fit(x, training, y)
            self.learned.shares, self.learned.values = 2**training, y

    monkeypatch.setattr("tuning.sampling.gp_sampler.GaussianProcess", Noting)
    return noted


def test_a_long_training_teaches_once_for_each_halving(learned: list[Learned]) -> None:
    study = gp_study(startup_trials=2)
    suggest(study.ask(), PARAMS)
    trial = study.ask()
    suggest(trial, PARAMS)
    for epoch in range(10, 161, 10):
        noted = {"training": {}, "figures": {"a": epoch / 200, "b": 0.5}, "intervals": {}}
        trial.set_user_attr(f"epoch/{epoch}", noted)
    suggest(study.ask(), PARAMS)
    assert space_of(PARAMS).base.epochs == 200
    taught = np.array([10, 20, 50, 100, 160]) / 200
    np.testing.assert_allclose(learned[0].shares, taught)
    np.testing.assert_allclose(learned[0].values, taught)


def test_above_the_cap_it_learns_from_the_latest_trials_and_the_front(
    monkeypatch: pytest.MonkeyPatch, learned: list[Learned]
) -> None:
    study, metrics = study_of(PARAMS, "random"), np.random.default_rng(0).random((40, 2))
    for row in metrics:
        trial = study.ask()
        suggest(trial, PARAMS)
        study.tell(trial, row.tolist())
    monkeypatch.setattr("tuning.sampling.gp_sampler.MOST", 10)
    study.sampler = gp_study().sampler
    suggest(study.ask(), PARAMS)
    front = np.flatnonzero(non_dominated(metrics, list(BOTH.values())))
    expected = sorted({*front.tolist(), *range(30, 40)})
    assert np.stack([process.values for process in learned], axis=1).tolist() == metrics[expected].tolist()
    assert min(front) < 30


def test_above_the_cap_the_parameters_are_still_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned: list[int] = []

    class Counting(GaussianProcess):
        def tune(self, x: FloatArray, training: FloatArray, y: FloatArray, most: int) -> None:
            super().tune(x, training, y, most)
            tuned.append(len(x))

    monkeypatch.setattr("tuning.sampling.gp_sampler.GaussianProcess", Counting)
    monkeypatch.setattr("tuning.sampling.gp_sampler.MOST", 10)
    study, rng = gp_study(startup_trials=2), np.random.default_rng(0)
    for _ in range(60):
        trial = study.ask()
        suggest(trial, PARAMS)
        study.tell(trial, rng.random(2).tolist())
    # With two processes, at 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 18, 21, 25, 29, 34, 40, 46 and 53 trials.
    assert len(tuned) == 2 * 18


@pytest.mark.parametrize("jump", [1, 7])
def test_looking_at_each_trial_once_proposes_what_a_new_look_at_all_would(
    jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(News):
        """Picks all trials at every ``jump``-th look."""

        def __init__(self) -> None:
            super().__init__()
            self.looks = 0

        def of(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
            if self.looks % jump == 0:
                super().__init__()
            self.looks += 1
            return super().of(trials)

    first = gp_study()
    for module in ("sampler", "gp_sampler"):
        monkeypatch.setattr(f"tuning.sampling.{module}.News", Forgetful)
    again = gp_study()
    for i in range(16):
        trials = first.ask(), again.ask()
        values, same = (suggest(trial, PARAMS) for trial in trials)
        assert values == same
        for study, trial in zip((first, again), trials, strict=True):
            if i % 3:
                study.tell(trial, trade_off(values))


def test_nearness_is_that_of_the_worst_objective_in_units_of_spread() -> None:
    candidates = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 9.0]])
    spread = candidates.std(axis=0)
    expected = [-2 / spread[0], -1 / spread[1], -5 / spread[1]]
    assert nearness(candidates, [3.0, 4.0], ["maximize", "minimize"]) == pytest.approx(np.array(expected))
