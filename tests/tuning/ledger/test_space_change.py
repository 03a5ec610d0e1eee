"""Changes of a space with which a search may resume."""

from pathlib import Path

import pytest
import yaml

from dcodr.errors import UserError
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.resume import require_same
from tuning.ledger.trials import FirstTrial
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 4, evaluate_every: 1}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, affine]}
  temperature: {type: float, low: 0.05, high: 0.5}
  encoder_lr: {type: categorical, choices: [0.0001, 0.001]}
search: {trials: 8, startup_trials: 4, sampler: tpe, warm_start: {paper: false}}
"""


def changed(folder: Path, changes: dict[str, object]) -> Space:
    """Return the space with some settings changed, by dotted key."""
    spec = yaml.safe_load(SPACE)
    for key, value in changes.items():
        *way, last = key.split(".")
        inner = spec
        for part in way:
            inner = inner.setdefault(part, {})
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    (folder / "s.yaml").write_text(yaml.safe_dump(spec))
    return load_space(folder / "s.yaml")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Six trials, the last of them running."""
    space = changed(tmp_path, {})
    ledger = Ledger.create(tmp_path / "ledger.log", space, {})
    ledger.ready(SpaceSampler)
    for number in range(6):
        assert Queue(ledger).begin() is not None
        metrics = {"invariance": 0.1 * number, "informativeness": 0.5}
        ledger.note_epoch(number, 4, training={}, metrics=metrics)
        if number < 5:
            ledger.end(number, full_budget=True)
    return Ledger.open(tmp_path / "ledger.log")


FITTING = [
    {"search.sampler": "random"},
    {"search.scheduler": {"grace_period": 2}},
    {"params.temperature.low": 0.01, "params.temperature.high": 2.0},
    {"params.augmentations.max_size": 5},
    {"resources": {"cpus_per_trial": 2}},
    {"resources": {"gpus_per_trial": 0.5}},
]


@pytest.mark.parametrize("changes", FITTING, ids=[str(c) for c in FITTING])
def test_a_change_that_earlier_trials_fit_is_gone_on_with_if_allowed(
    changes: dict[str, object], ledger: Ledger, tmp_path: Path
) -> None:
    space = changed(tmp_path, changes)
    with pytest.raises(UserError, match=r"differs(.|\n)*there, (.|\n)*here\nallow_space_change=True resumes"):
        require_same(ledger, space, allow_change=False)
    require_same(ledger, space, allow_change=True)
    before = ledger.records()
    assert ledger.ready(SpaceSampler, space) == [5]
    assert ledger.records() == before
    for number in range(5, 8):
        begun = Queue(ledger).begin()
        assert begun is not None
        assert begun.number == number
        assert space.reject_reason(begun.values) is None
        ledger.note_epoch(number, 4, training={}, metrics={"invariance": 0.5, "informativeness": 0.5})
        ledger.end(number, full_budget=True)
    again = Ledger.open(tmp_path / "ledger.log")
    assert again.records() == ledger.records()
    require_same(again, space, allow_change=False)


MISFITS: list[tuple[dict[str, object], str]] = [
    ({"params.temperature": None}, "temperature: the trial has .*, but the new space does not search it"),
    ({"params.temperature.high": 0.06}, "temperature: .* is not allowed"),
    ({"params.temperature.log": True}, "temperature"),
    ({"params.encoder_lr.choices": [0.0001, 0.001, 0.01]}, "encoder_lr"),
    ({"params.generator_lr": {"type": "float", "low": 0.0001, "high": 0.001}}, "it lacks a parameter"),
    ({"params.augmentations.members": ["crop", "affine", "grayscale"]}, r"it lacks a parameter|any more"),
    ({"params.augmentations.max_size": 1}, "augmentations: .* is not allowed"),
    ({"base.overrides.epochs": 5}, r"would not be comparable:\n  base.epochs: 4 there, 5 here"),
    ({"objectives": {"invariance": "maximize"}}, "objectives"),
    ({"search.informativeness_floor": 0.2}, r"search\.informativeness_floor"),
]


@pytest.mark.parametrize(("changes", "reason"), MISFITS, ids=[str(c) for c, _ in MISFITS])
def test_a_change_that_earlier_trials_do_not_fit_is_refused(
    changes: dict[str, object], reason: str, ledger: Ledger, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        require_same(ledger, changed(tmp_path, changes), allow_change=True)
    assert "Begin a new search instead" in str(caught.value)


def test_a_first_trial_that_has_not_begun_has_to_fit_as_well(tmp_path: Path) -> None:
    space = changed(tmp_path, {})
    first = [
        FirstTrial({"augmentations": ("crop",), "temperature": 0.4, "encoder_lr": 0.001}, origin)
        for origin in ("paper", "config hot.yaml")
    ]
    ledger = Ledger.create(tmp_path / "ledger.log", space, {}, first)
    narrow = changed(tmp_path, {"params.temperature.high": 0.2})
    with pytest.raises(UserError, match=r"first trial of config hot\.yaml, .*: temperature: 0\.4 is not"):
        require_same(ledger, narrow, allow_change=True)
    require_same(ledger, changed(tmp_path, {"params.temperature.high": 0.45}), allow_change=True)


def test_budgets_and_the_same_space_are_no_change(ledger: Ledger, tmp_path: Path) -> None:
    require_same(ledger, changed(tmp_path, {}), allow_change=False)
    require_same(ledger, changed(tmp_path, {"search.trials": 99}), allow_change=False)


def test_a_preference_may_change_and_chooses_another_trial(ledger: Ledger, tmp_path: Path) -> None:
    ledger.ready(SpaceSampler)
    assert Queue(ledger).begin() is not None
    ledger.note_epoch(5, 4, training={}, metrics={"invariance": 0.2, "informativeness": 0.9})
    ledger.end(5, full_budget=True)
    search = Search(tmp_path, ledger)
    assert search.best_tradeoff().number == 4  # 0.4 * 0.5 against 0.2 * 0.9
    for weights, number in (({"informativeness": 2}, 5), ({"invariance": 3}, 4), ({}, 4)):
        space = changed(tmp_path, {"search.preference": weights})
        require_same(ledger, space, allow_change=False)
        ledger.ready(SpaceSampler, space)
        assert search.best_tradeoff().number == number
        assert Search(tmp_path, Ledger.open(tmp_path / "ledger.log")).best_tradeoff().number == number


def test_a_search_keeps_the_constant_answers_that_it_began_with(tmp_path: Path) -> None:
    objectives: dict[str, object] = {"objectives": {"invariance": "maximize", "error/landmarks": "minimize"}}
    space = changed(tmp_path, objectives)
    began = space.model_copy(update={"constant_answers": {"error/landmarks": 12.5}})
    for name, kept in (("now", began), ("earlier", space)):
        ledger = Ledger.create(tmp_path / f"{name}.log", kept, {})
        other = space.model_copy(update={"constant_answers": {"error/landmarks": 99.0}})
        require_same(ledger, other, allow_change=False)
        ledger.ready(SpaceSampler, other)
        begun = Queue(ledger).begin()
        assert begun is not None
        ledger.note_epoch(0, 4, training={}, metrics={"invariance": 0.5, "error/landmarks": 2.5})
        ledger.end(0, full_budget=True)
        for one in (ledger, Ledger.open(tmp_path / f"{name}.log")):
            assert one.space.reference == kept.reference
            assert Queue(one).budget.hypervolume == (0.5 * 10 if name == "now" else 0.0)
