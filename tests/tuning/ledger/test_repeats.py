"""Repeats: settings that were trained before have the earlier result, and cost no training."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.tuning.ledger.ledgers import FOUR_SETS, begin, beginning_with, finish, load, note
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import FirstTrial
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space

SYSTEMS = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 4, evaluate_every: 1}}
params:
  temperature: {type: categorical, choices: [0.1, 0.2, 0.3]}
  method: {type: categorical, choices: [dcodr, simclr, lord]}
  lord.noise: {type: categorical, choices: [0.5, 1.0]}
search: {trials: 60, warm_start: {paper: false}}
"""


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_a_finite_space_is_trained_once_and_then_exhausted(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.ledger.queue.NEW_DRAWS", 30)
    ledger = Ledger.create(None, load(tmp_path, FOUR_SETS, sampler=sampler), {})
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    while (begun := queue.begin()) is not None:
        finish(ledger, begun.number, begun.number / 100)
    assert queue.over() == "the last 30 draws gave no new allowed config: the space is exhausted"
    records, trials = ledger.records(), ledger.study.trials
    trained = {record.values["augmentations"]: record.number for record in records if record.repeats is None}
    assert len(trained) == sum(record.repeats is None for record in records) == 4
    assert queue.budget.trials == 4
    reused = [record for record in records if record.status == "reused"]
    assert len(reused) == len(records) - 4 >= 30
    for record in reused:
        assert record.repeats == trained[record.values["augmentations"]]
        assert trials[record.number].values == trials[record.repeats].values


IMPOSSIBLE = """
base: {preset: synthetic, overrides: {encoder: {weights: null}}}
params:
  encoder.arch: {type: categorical, choices: [small, resnet50]}
  encoder.hidden_layer: {type: categorical, choices: [false, true]}
search: {trials: 20, warm_start: {paper: false}}
"""


@pytest.mark.parametrize("sampler", ["gp", "tpe", "nsga2", "random"])
def test_values_that_no_config_may_have_together_are_not_trained(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.ledger.queue.NEW_DRAWS", 30)
    ledger = Ledger.create(tmp_path / "ledger.log", load(tmp_path, IMPOSSIBLE, sampler=sampler), {})
    ledger.ready(SpaceSampler)
    trained = []
    queue = Queue(ledger)
    while (begun := queue.begin()) is not None:
        trained.append(tuple(begun.values.values()))
        finish(ledger, begun.number, begun.number / 100)
    assert sorted(trained) == [("resnet50", False), ("resnet50", True), ("small", False)]
    again = Ledger.open(tmp_path / "ledger.log")
    assert again.ready(SpaceSampler) == []
    assert Queue(again).budget.trials == 3


ENDS: dict[str, dict[str, Any]] = {
    "complete": {"full_budget": True},
    "pruned": {"full_budget": False},
    "infeasible": {"full_budget": True, "infeasible": "rank 1"},
    "infeasible early": {"full_budget": False, "infeasible": "rank 1"},
    "failed": {"full_budget": False, "failure": "loss is nan"},
}


@pytest.mark.parametrize("how", ENDS.values(), ids=ENDS)
def test_a_repeat_of_a_running_trial_gets_its_result(how: dict[str, Any], four: Space) -> None:
    ledger = beginning_with(four, "crop", "crop", "affine")
    assert [begin(ledger).number, begin(ledger).number] == [0, 2]
    assert [record.status for record in ledger.records()] == ["running"] * 3
    note(ledger, 0, 4, 0.3, 0.6)
    ledger.end(0, **how)
    result, repeat, _ = ledger.study.trials
    assert (repeat.state, repeat.values) == (result.state, result.values)
    assert repeat.constraints == result.constraints
    assert bool(repeat.constraints) == ("infeasible" in how)
    record = ledger.records()[1]
    assert (record.status, record.repeats) == ("reused", 0)
    assert Queue(ledger).budget.trials == 2


def test_a_draw_that_differs_in_nothing_its_method_uses_has_the_earlier_result(tmp_path: Path) -> None:
    space = load(tmp_path, SYSTEMS)
    lord = {"method": "lord", "lord.noise": 1.0}
    drawn = [lord | {"temperature": 0.1}, lord | {"temperature": 0.2}, lord | {"lord.noise": 0.5}]
    ledger = Ledger.create(None, space, {}, [FirstTrial(values, "here") for values in drawn])
    ledger.ready(SpaceSampler)
    first = begin(ledger)
    assert first.values == lord
    assert space.config(first.values).temperature == space.base.temperature
    finish(ledger, first.number, 0.3, 0.6)
    assert begin(ledger).number == 2
    record = ledger.records()[1]
    assert (record.status, record.repeats, record.values) == ("reused", 0, lord)
    assert ledger.study.trials[1].values == [0.3, 0.6]
    assert Queue(ledger).budget.trials == 2


@pytest.mark.parametrize("sampler", ["gp", "tpe", "nsga2", "random"])
def test_each_system_is_trained_once_with_the_settings_that_it_uses(sampler: str, tmp_path: Path) -> None:
    ledger = Ledger.create(None, load(tmp_path, SYSTEMS, sampler=sampler, startup_trials=4), {})
    ledger.ready(SpaceSampler)
    trained = []
    queue = Queue(ledger)
    while (begun := queue.begin()) is not None:
        trained.append(begun.values)
        finish(ledger, begun.number, begun.number / 100)
    wanted = [{"method": name, "temperature": t} for name in ("dcodr", "simclr") for t in (0.1, 0.2, 0.3)]
    wanted += [{"method": "lord", "lord.noise": noise} for noise in (0.5, 1.0)]
    assert len(trained) == len(wanted)
    assert all(values in trained for values in wanted)


def test_failed_settings_may_be_trained_again(four: Space) -> None:
    ledger = beginning_with(four, "crop", "crop")
    ledger.end(begin(ledger).number, full_budget=False, failure="out of memory")
    assert begin(ledger).number == 1


def test_repeats_of_what_was_cut_off_wait_for_it(four: Space) -> None:
    ledger = beginning_with(four, "crop", "crop", "affine")
    begin(ledger), begin(ledger)
    again = Ledger(ledger.study)
    assert again.ready(SpaceSampler) == [0, 2]
    assert [begin(again).number, begin(again).number] == [0, 2]
    finish(again, 0)
    assert [record.status for record in again.records()] == ["complete", "reused", "running"]
    assert Queue(again).budget.trials == 2


def test_a_repeat_whose_twin_has_ended_is_settled_when_a_search_is_opened_again(
    four: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = beginning_with(four, "crop", "crop", "affine")
    begin(ledger), begin(ledger)
    real = optuna.Trial.set_user_attr

    def die(trial: optuna.Trial, key: str, value: Any) -> None:
        """Let the driver die before it gives the result to the repeat."""
        if key == "repeats":
            raise KeyboardInterrupt
        real(trial, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "set_user_attr", die)
        with pytest.raises(KeyboardInterrupt):
            finish(ledger, 0, 0.3, 0.6)
    again = Ledger(ledger.study)
    assert again.ready(SpaceSampler) == [2]
    assert (again.records()[1].status, again.study.trials[1].values) == ("reused", [0.3, 0.6])
