"""The stages of a search: trials until the budget is spent, confirmations, the test images."""

import math
import time
from typing import Any

from ray import tune
from rich.console import Console

from dcodr.console import say
from dcodr.words import counted
from tuning.cluster.nodes import places, share
from tuning.driver.display import Display
from tuning.driver.measure import measure
from tuning.driver.protocol import Assignment
from tuning.driver.recorder import WORKER_DEATHS, Recorder
from tuning.driver.scheduler import ParetoASHA, scheduler_of
from tuning.driver.searcher import LedgerSearcher
from tuning.driver.trainable import train_trial
from tuning.ledger.ledger import SEARCHED
from tuning.ledger.queue import Queue
from tuning.results.search import Search
from tuning.space.words import label
from tuning.tracking.outbox import Outbox


def run_stages(search: Search, outbox: Outbox, console: Console) -> None:
    """Search until the budget is spent, confirm the front, and measure the best on the test images."""
    ledger, queue = search.ledger, Queue(search.ledger)
    # A time budget would begin anew, e.g. for a search that is resumed in its confirmations.
    if queue.over() is None and not ledger.facts().get(SEARCHED):
        _search(search, queue, outbox, console)
        ledger.remember(SEARCHED, True)
    if search.results().unconfirmed:
        _confirm(search, queue, outbox, console)
    measure(search, outbox, console)
    ledger.drop_confirmations()
    search.forget_encoders(over=True)
    # Written last: without it a search that was stopped in any of these steps is resumed.
    budget = search.space.search.time_budget
    ledger.remember("ended", queue.over() or f"the time budget of {budget:g} s is spent")


def _search(search: Search, queue: Queue, outbox: Outbox, console: Console) -> None:
    """Train trials until the budget is spent."""
    space = search.space
    budget = space.search.epoch_budget
    display = Display(
        space.search.trials,
        space.objectives,
        space.reference,
        title=f"search {search.name}",
        epochs=None if budget is None else budget - queue.budget.spent,
        console=console,
    )
    for trial, outcome in search.results().ended:
        if trial.confirms is None:
            display.trial_restored(trial.number, label(trial.values), outcome, trial.metrics)
    recorder = Recorder(search, queue, outbox, display)
    searcher = LedgerSearcher(queue, space, queue.over, search.folder)
    seconds = space.search.time_budget
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    with display:
        _tune(searcher, recorder, search, queue, _scheduler(search), deadline)
        for number in queue.give_up():
            outbox.put(search.ledger.record(number))
        _finish_baseline(recorder, search, queue, console)
    recorder.close_all()


def _confirm(search: Search, queue: Queue, outbox: Outbox, console: Console) -> None:
    """Train the best candidates and the paper's settings again with other seeds."""
    space = search.space
    for number, seed in search.results().unconfirmed:
        queue.confirm(number, seed)
    trainings = counted(queue.waiting(), "training")
    say(console, f"Confirming the front with other seeds: {trainings}")
    display = Display(
        queue.waiting(),
        space.objectives,
        space.reference,
        title=f"confirming {search.name}",
        compare=False,
        console=console,
    )
    recorder = Recorder(search, queue, outbox, display)
    searcher = LedgerSearcher(queue, space, lambda: None if queue.waiting() else "confirmed", search.folder)
    with display:
        _tune(searcher, recorder, search, queue, None)
    recorder.close_all()


def _finish_baseline(recorder: Recorder, search: Search, queue: Queue, console: Console) -> None:
    """Train the paper's settings to their end, if the time budget has stopped them."""
    # The settings that a search must beat are never stopped early.
    paper = search.results().paper
    if paper is None or paper.status != "running":
        return
    recorder.close_all(but=paper.number)
    say(
        console,
        f"The time budget is spent; trial {paper.number:03d}, the paper's settings, trains to its end: "
        "the search is compared with it.",
    )
    queue.put_back(paper.number)
    searcher = LedgerSearcher(
        queue, search.space, lambda: None if queue.left_over() else "the rest is done", search.folder
    )
    _tune(searcher, recorder, search, queue, None)


def _scheduler(search: Search) -> ParetoASHA | None:
    """Return Pareto ASHA with the records of earlier trials; ``None`` if the search has no scheduler."""
    scheduler = scheduler_of(search.space)
    if scheduler is None:
        return None
    for trial in search.trials():
        # A reused trial was never trained; its twin is recorded.
        if trial.status != "reused":
            feasible = {epoch: record.metrics for epoch, record in trial.evaluated.items()}
            if trial.status in ("infeasible", "running"):
                feasible.pop(trial.epoch, None)  # an interrupted trial reports this epoch again
            scheduler.replay(trial.number, feasible, ended=trial.status in ("complete", "pruned"))
    return scheduler


def _tune(
    searcher: LedgerSearcher,
    recorder: Recorder,
    search: Search,
    queue: Queue,
    scheduler: ParetoASHA | None,
    deadline: float = math.inf,
) -> None:
    """Let Ray Tune execute the searcher's trials; without a scheduler no trial is stopped early.

    Tune stops asking after the last trial. If trials were put back after that, Tune is started again, until
    the deadline, a time of ``time.monotonic()``, at which all trials are stopped.
    """
    resources = search.space.resources

    def asked(assignment: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([share(resources, Assignment.from_dict(assignment).gpus)])

    tuner = tune.Tuner(
        tune.with_resources(train_trial, asked),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,  # the searcher decides when the search is over
            max_concurrent_trials=places(resources),  # unset, Tune keeps one pending trial only
            time_budget_s=None if deadline == math.inf else max(deadline - time.monotonic(), 1),
            reuse_actors=True,
            trial_dirname_creator=lambda trial: f"{Assignment.from_dict(trial.config).number:03d}",
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(search.folder),
            callbacks=[recorder],
            verbose=0,
            # On a terminal Tune warns of a reporter.
            progress_reporter=_Silent() if Console().is_jupyter else None,
            failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
        ),
    )
    tuner.fit()
    if queue.left_over() and time.monotonic() < deadline:
        _tune(searcher, recorder, search, queue, scheduler, deadline)


class _Silent(tune.ProgressReporter):
    """A reporter in place of the one of Tune for notebooks, which clears the cell's outputs, also at rest."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: Any) -> None:
        pass
