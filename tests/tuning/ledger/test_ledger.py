"""The ledger: it hands out trials, records them, and keeps them when its driver dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcodr.errors import UserError
from tests.tuning.ledger.ledgers import SPACE, begin, beginning_with, finish, load, note
from tuning.ledger.budget import Budget
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import Begun
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space
from tuning.space.settings import Stall


def test_the_first_trials_come_first(ledger: Ledger, space: Space) -> None:
    begun = begin(ledger)
    values = space.paper_values()
    assert begun == Begun(0, values, space.config(values), confirms=None, baseline=True)
    assert begun.seed == 0
    finish(ledger, begun.number)
    begin(ledger)
    assert [record.origin for record in ledger.records()] == ["paper", None]
    assert [record.paper for record in ledger.records()] == [True, False]


def test_metrics_are_kept_by_epoch_and_the_last_are_told_to_optuna(ledger: Ledger, tmp_path: Path) -> None:
    begun, began = begin(ledger), round(time.time(), 3)
    note(ledger, begun.number, 1, 0.1, 0.2)
    ledger.note_epoch(begun.number, 2, training={"train/total": 0.5})
    ledger.note_epoch(
        begun.number,
        4,
        training={"train/total": 0.25},
        metrics={"invariance": 0.25, "informativeness": 0.75},
        intervals={"invariance": [0.2, 0.3]},
    )
    assert ledger.end(begun.number, full_budget=True) == "complete"
    record = Ledger.open(tmp_path / "ledger.log").records()[0]
    assert record.status == "complete"
    assert record.values == begun.values
    assert record.metrics == {"invariance": 0.25, "informativeness": 0.75}
    assert {epoch: one.metrics for epoch, one in record.evaluated.items()} == {
        1: {"invariance": 0.1, "informativeness": 0.2},
        4: record.metrics,
    }
    assert [one.training for one in record.epochs.values()][1:] == [
        {"train/total": 0.5},
        {"train/total": 0.25},
    ]
    assert began <= record.epochs[1].at <= record.epochs[4].at <= time.time()
    assert record.intervals == {"invariance": (0.2, 0.3)}
    assert record.epoch == 4
    assert ledger.study.trials[0].values == [0.25, 0.75]


def test_stopped_trials_are_pruned(ledger: Ledger) -> None:
    number = begin(ledger).number
    note(ledger, number, 2, 0.9, 0.9)
    assert ledger.end(number, full_budget=False) == "pruned"
    assert ledger.study.trials[0].state.name == "PRUNED"


def test_collapsed_trials_are_infeasible_for_optuna_too(ledger: Ledger) -> None:
    number = begin(ledger).number
    note(ledger, number, 4, 1.0, 0.0)
    assert ledger.end(number, full_budget=True, infeasible="effective rank 1.0") == "infeasible"
    second = begin(ledger).number
    finish(ledger, second, 0.1, 0.1)
    assert [trial.number for trial in ledger.study.best_trials] == [second]
    assert ledger.records()[0].reason == "effective rank 1.0"


@pytest.mark.parametrize(
    ("given_", "reason"), [("loss is nan", "loss is nan"), (None, "it was never evaluated")]
)
def test_trials_without_metrics_fail_with_their_reason(
    ledger: Ledger, given_: str | None, reason: str
) -> None:
    number = begin(ledger).number
    ledger.note_epoch(number, 1, training={"train/total": 1.0})
    assert ledger.end(number, full_budget=False, failure=given_) == "failed"
    assert ledger.study.trials[0].state.name == "FAIL"
    assert ledger.records()[0].reason == reason


def test_test_metrics_of_another_process_are_seen(ledger: Ledger, tmp_path: Path) -> None:
    number = begin(ledger).number
    finish(ledger, number)
    held = Ledger.open(tmp_path / "ledger.log")
    assert held.record(number).test == {}
    ledger.note_test(number, {"invariance": 0.7}, {"invariance": (0.6, 0.8)})
    for record in (held.record(number), held.records()[number], ledger.record(number)):
        assert record.test == {"invariance": 0.7}
        assert record.test_intervals == {"invariance": (0.6, 0.8)}


def test_opening_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    begin(ledger)
    before = (tmp_path / "ledger.log").read_bytes()
    assert Ledger.open(tmp_path / "ledger.log").records()[0].status == "running"
    assert (tmp_path / "ledger.log").read_bytes() == before


def test_cut_off_trials_go_on_under_their_numbers(ledger: Ledger, tmp_path: Path) -> None:
    first, second = begin(ledger), begin(ledger)
    note(ledger, first.number, 2, 0.5, 0.4)
    again = Ledger.open(tmp_path / "ledger.log")
    assert again.ready(SpaceSampler) == [first.number, second.number]
    assert [begin(again), begin(again)] == [first, second]
    assert [again.record(number).epoch for number in (first.number, second.number)] == [2, 0]
    assert [record.origin for record in again.records()] == ["paper", None]
    note(again, first.number, 4, 0.6, 0.5)
    assert again.end(first.number, full_budget=True) == "complete"
    record = again.record(first.number)
    assert record == again.records()[0] == Ledger.open(tmp_path / "ledger.log").records()[0]
    assert {epoch: one.metrics for epoch, one in record.evaluated.items()} == {
        2: {"invariance": 0.5, "informativeness": 0.4},
        4: {"invariance": 0.6, "informativeness": 0.5},
    }
    assert begin(again).number == 2
    assert Queue(again).budget.trials == 3


def test_what_was_cut_off_goes_on_though_the_budget_is_spent(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(8):
        begin(ledger)
    again = Ledger.open(tmp_path / "ledger.log")
    again.ready(SpaceSampler)
    queue = Queue(again)
    for number in range(8):
        assert queue.over() is None
        begun = queue.begin()
        assert begun is not None
        assert begun.number == number
    assert queue.over() == "all 8 trials are done"


def test_a_pause_is_no_part_of_a_trials_time(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begin(ledger).number
    note(ledger, number, 1, 0.5, 0.4)
    now = time.time()
    for days in (1, 2):  # killed twice, without an epoch in between
        monkeypatch.setattr("tuning.ledger.ledger.time.time", lambda days=days: now + 86400 * days)
        again = Ledger.open(tmp_path / "ledger.log")
        again.ready(SpaceSampler)
        assert begin(again).number == number
    again.end(number, full_budget=False)
    frozen, record = again.study.trials[number], again.record(number)
    assert frozen.user_attrs["away"][0] == pytest.approx(2 * 86400, abs=5)
    assert record.seconds == 0
    assert frozen.datetime_complete is not None
    assert record.end == frozen.datetime_complete.timestamp()


def test_a_reason_of_a_process_that_was_killed_is_not_one_of_a_complete_trial(ledger: Ledger) -> None:
    number = begin(ledger).number
    ledger.note(number, failure="the worker died")
    note(ledger, number, 4, 0.5, 0.4)
    assert ledger.end(number, full_budget=True) == "complete"
    assert ledger.record(number).reason is None


def test_trials_without_a_worker_are_given_up_except_the_papers(ledger: Ledger) -> None:
    paper, evaluated, unseen = (begin(ledger).number for _ in range(3))
    note(ledger, evaluated, 1, 0.5, 0.4)
    queue = Queue(ledger)
    for number in (paper, evaluated, unseen):
        queue.put_back(number)
    assert queue.give_up() == [evaluated, unseen]
    assert [record.status for record in ledger.records()] == ["running", "pruned", "failed"]
    again = begin(ledger)
    assert (again.number, again.baseline) == (paper, True)


def test_a_trial_cut_off_while_it_was_drawn_begins_anew(ledger: Ledger, tmp_path: Path) -> None:
    half = ledger.study.ask()
    half.suggest_float("temperature", 0.05, 0.5)
    again = Ledger.open(tmp_path / "ledger.log")
    assert again.ready(SpaceSampler) == []
    anew = begin(again)
    assert anew.number == half.number + 1
    assert again.records()[-1].origin == "paper"
    assert [trial.state.name for trial in again.study.trials][:1] == ["FAIL"]


def test_a_reopened_search_does_not_repeat_its_draws(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(3):
        finish(ledger, begin(ledger).number)
    again = Ledger.open(tmp_path / "ledger.log")
    again.ready(SpaceSampler)
    temperatures = [record.values["temperature"] for record in ledger.records()]
    assert begin(again).values["temperature"] not in temperatures


def test_a_search_goes_on_with_other_budgets(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(8):
        finish(ledger, begin(ledger).number)
    assert Queue(ledger).over() == "all 8 trials are done"
    again = Ledger.open(tmp_path / "ledger.log")
    assert Queue(again).over() == "all 8 trials are done"
    again.ready(SpaceSampler, load(tmp_path, SPACE, trials=9))
    assert Queue(again).over() is None
    assert Ledger.open(tmp_path / "ledger.log").space.search.trials == 9


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such ledger"):
        Ledger.open(tmp_path / "none.log")
    (tmp_path / "text.log").write_text("hello\n")
    with pytest.raises(UserError, match=r"text\.log"):
        Ledger.open(tmp_path / "text.log")
    (tmp_path / "empty.log").write_text("")
    with pytest.raises(UserError, match=r"empty\.log"):
        Ledger.open(tmp_path / "empty.log")


def test_a_complete_trial_without_an_objective_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    finish(ledger, begin(ledger).number, invariance=0.25)
    path = tmp_path / "ledger.log"
    path.write_bytes(path.read_bytes().replace(b'"invariance":0.25', b'"nvariance":0.25'))
    with pytest.raises(UserError, match=r"ledger\.log: .*trial 000 has no invariance"):
        Ledger.open(path)


def test_confirmations_have_the_values_and_another_seed_and_cost_no_budget(four: Space) -> None:
    space = four.model_copy(update={"search": four.search.model_copy(update={"epoch_budget": 4})})
    ledger = beginning_with(space, "crop", "affine")
    finish(ledger, begin(ledger).number)
    over = "4 of 4 epochs are spent, too many for another trial"
    queue = Queue(ledger)
    assert (queue.over(), queue.waiting()) == (over, 0)
    for seed in (1, 2):
        queue.confirm(0, seed)
    assert queue.waiting() == 2
    first, second = queue.begin(), queue.begin()
    assert first is not None
    assert second is not None
    assert queue.waiting() == 0
    assert [first.seed, second.seed] == [1, 2]
    assert first.values == second.values == {"augmentations": ("crop",)}
    assert finish(ledger, first.number) == "complete"
    assert ledger.end(second.number, full_budget=False, failure="loss is nan") == "failed"
    assert queue.over() == Queue(Ledger(ledger.study)).over() == over
    original, *confirmations = ledger.records()
    assert [(run.confirms, run.seed, run.status) for run in confirmations] == [
        (0, 1, "complete"),
        (0, 2, "failed"),
    ]
    assert Search(Path("s"), ledger).trials() == [original]


def test_first_trials_that_the_budget_left_out_wait_for_a_larger_one(four: Space) -> None:
    ledger = beginning_with(four, "crop", "affine")
    finish(ledger, begin(ledger).number)
    confirmation = ledger.confirm(0, 1)
    assert confirmation.confirms == 0
    finish(ledger, confirmation.number)
    again = Ledger(ledger.study)
    again.ready(SpaceSampler)
    assert begin(again).values == {"augmentations": ("affine",)}


def test_confirmations_that_were_cut_off_go_on_where_they_are_asked_for_again(four: Space) -> None:
    ledger = beginning_with(four, "crop", "affine")
    finish(ledger, begin(ledger).number)
    first, second = ledger.confirm(0, 1), ledger.confirm(0, 2)
    again = Ledger(ledger.study)
    assert again.ready(SpaceSampler) == []
    assert Queue(again).waiting() == 0
    assert again.confirm(0, 2) == second
    again.drop_confirmations()
    statuses = {record.number: record.status for record in again.records()}
    assert statuses == {0: "complete", first.number: "interrupted", second.number: "running"}
    assert begin(again).confirms is None


levels = st.integers(0, 4).map(lambda i: i / 4)


steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "epoch", "end"]),
        st.integers(0, 5),
        levels,
        levels,
        st.sampled_from([{}, {}, {"infeasible": "rank 1"}, {"failure": "loss is nan"}]),
    ),
    max_size=40,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_a_reopened_ledger_has_spent_what_the_live_one_has(
    four: Space, monkeypatch: pytest.MonkeyPatch, steps: list[Any]
) -> None:
    monkeypatch.setattr("tuning.ledger.queue.NEW_DRAWS", 10)
    limits = {"epoch_budget": 60, "stall": Stall(trials=4, growth=0.1), "sampler": "random"}
    search = four.search.model_copy(update=limits)
    ledger = Ledger.create(None, four.model_copy(update={"search": search}), {})
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    epochs: dict[int, int] = {}
    for kind, which, invariance, informativeness, how in steps:
        if kind == "begin":
            begun = queue.begin() if queue.over() is None else None
            if begun is not None:
                epochs[begun.number] = 0
        elif epochs:
            number = list(epochs)[which % len(epochs)]
            if kind == "epoch" and epochs[number] < 4:
                epochs[number] = min(4, epochs[number] + 1 + which)
                note(ledger, number, epochs[number], invariance, informativeness)
            elif kind == "end":
                ledger.end(number, full_budget=epochs.pop(number) == 4, **how)
    for number in reversed(epochs):
        ledger.end(number, full_budget=epochs[number] == 4)
    assert spent(Queue(Ledger(ledger.study)).budget) == spent(queue.budget)


def spent(budget: Budget) -> list[Any]:
    """All that a budget tells, now and after some more trials, and how many more may run at once."""
    told: list[Any] = []
    for objectives in ((0.7, 0.2), (0.2, 0.7), None):
        told += budget.trials, budget.spent, budget.hypervolume, [*budget.history]
        told += budget.over(), budget.waits()
        budget.begin()
        budget.end(4, objectives)
    while not budget.waits():
        budget.begin()
    return [*told, budget.trials]


WRITER = """
import sys
from pathlib import Path
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.sampling.sampler import SpaceSampler
ledger = Ledger.open(Path(sys.argv[1]))
ledger.ready(SpaceSampler)
queue = Queue(ledger)
while True:
    number = queue.begin().number
    metrics = {"invariance": 0.5, "informativeness": 0.5}
    ledger.note_epoch(number, 4, training={}, metrics=metrics, intervals={})
    ledger.end(number, full_budget=True)
    print(number, flush=True)
"""


def test_finished_trials_survive_kill_9(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.log"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(5)]
    time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    again = Ledger.open(path)
    again.ready(SpaceSampler)
    complete = {record.number for record in again.records() if record.status == "complete"}
    assert set(told) <= complete
    assert not any(record.status == "running" for record in again.records())
