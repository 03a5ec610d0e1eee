"""``run_search``: puts a search together; the only file that knows all the others."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from dcodr.errors import UserError
from dcodr.files import write_text
from dcodr.words import counted
from tuning.cluster.nodes import check_cluster, places, share
from tuning.cluster.session import ray_session
from tuning.display import Display
from tuning.driver_lock import driving
from tuning.export import export, versions
from tuning.interrupts import ending_at_once
from tuning.journal import mend
from tuning.ledger import Ledger
from tuning.mirror import close_parent, open_parent, search_status
from tuning.models import register
from tuning.outbox import Outbox
from tuning.preflight.checks import check, check_storage
from tuning.preflight.reference import with_constant_answers
from tuning.recorder import WORKER_DEATHS, Recorder
from tuning.report import print_summary
from tuning.scheduler import ParetoASHA, scheduler_of
from tuning.search import CONFIGS, Search
from tuning.searcher import LedgerSearcher
from tuning.space import Space
from tuning.space_change import require_same
from tuning.storage import LEDGER, names
from tuning.tracking import Tracker
from tuning.tracking_store import default_uri, masked, reason
from tuning.trainable import train_trial
from tuning.trials import FirstTrial, label
from tuning.warm_start import first_trials

PATIENCE = 20.0
"""Seconds for which MLflow is tried at a search's end, if it does not answer."""
_FOLDER_NAME = re.compile(r"\w[\w .+-]{0,99}")


def run_search(
    space: Space,
    *,
    name: str | None = None,
    storage: str | Path = "runs",
    tracking_uri: str | None = None,
    address: str | None = None,
    resume: bool = False,
    allow_space_change: bool = False,
    verbose: bool = False,
    console: Console | None = None,
) -> Search:
    """Run a search to its end, or go on with one.

    Args:
        space: What to search.
        name: The search's name; by default the space's, numbered if taken.
        storage: Folder of all searches; on a cluster one that every node sees.
        tracking_uri: MLflow's; by default an SQLite file in ``storage``.
        address: Ray cluster to run on; by default this machine alone.
        resume: Whether to go on with the search of that name: finished trials are kept, those that were cut
            off go on at their last checkpoints.
        allow_space_change: Whether the space may differ from the one that it began with, where the earlier
            trials can be carried over; see :func:`tuning.space_change.require_same`.
        verbose: Whether Ray's own messages and what workers print are shown as well.
        console: Where to show progress; by default standard output.

    Returns:
        The search; the configs of its front are in its folder, under ``configs``.

    Raises:
        UserError: If something is wrong that can be known beforehand; no search is begun then.
        KeyboardInterrupt: If the user stops it; it can be resumed then.
    """
    console = console or Console()
    storage = Path(storage)
    check_storage(storage)
    storage = storage.resolve()
    data = check(space, address, console)
    space = with_constant_answers(space, data)
    first = first_trials(space)
    name = _name(space.name, name, storage, resume)
    uri = tracking_uri or default_uri(storage)
    if resume:
        earlier = Search.open(name, storage)
        require_same(earlier.ledger, space, allow_change=allow_space_change)
        if earlier.ledger.facts()["fingerprint"] != data.fingerprint:
            raise UserError(f"--resume: {space.base.store} is not the dataset that {name!r} began with")
    check_cluster(space, address, storage, data.fingerprint, console)
    with console.status("opening the MLflow tracking store"):
        tracker = Tracker(uri)
    folder = storage / name
    folder.mkdir(parents=True, exist_ok=True)
    with driving(folder):
        if resume:
            mend(folder / LEDGER)
            search = _reopen(Search.open(name, storage), tracker, space)
        else:
            search = _begin(folder, space, data.fingerprint, tracker, first)
        _drive(search, tracker, address, verbose, console)
    print_summary(search, console, tracker)
    return search


def _drive(search: Search, tracker: Tracker, address: str | None, verbose: bool, console: Console) -> None:
    """Search, and leave ledger, MLflow and exports in order however that ends."""
    outbox = Outbox(tracker, search, lambda text: console.print(text, highlight=False, soft_wrap=True))
    try:
        outbox.catch_up(search.ledger.records())
        _train(search, outbox, address, verbose, console)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            again = f"Go on with the same command and: --name {search.name} --resume"
            console.print(f"Stopped; Ctrl-C again to end at once. {again}", soft_wrap=True)
        with ending_at_once():
            for record in search.ledger.records():
                if record.status == "running":
                    outbox.put(record, driven=False)
            try:
                _finish(search, tracker, outbox, console)
            except UserError as another:
                console.print(str(another), markup=False, soft_wrap=True)
        raise
    _finish(search, tracker, outbox, console)


def _train(search: Search, outbox: Outbox, address: str | None, verbose: bool, console: Console) -> None:
    """Search until the budget is spent, then confirm what was found."""
    ledger, space = search.ledger, search.space
    if ledger.over() is None:
        display = Display(
            space.search.trials,
            space.objectives,
            space.reference,
            title=f"search {search.name}",
            console=console,
        )
        for trial, outcome in search.ended():
            if trial.confirms is None:
                display.trial_restored(trial.number, label(trial.values), outcome, trial.figures)
        recorder = Recorder(search, outbox, display)
        searcher = LedgerSearcher(ledger, space, ledger.over, search.folder)
        with ray_session(address, verbose), display:
            _tune(searcher, recorder, search, _scheduler(search), space.search.time_budget)
        recorder.close_all()
    ended = ledger.over() or f"the time budget of {space.search.time_budget:g} s is spent"
    for number, seed in search.unconfirmed():
        ledger.confirm(number, seed)
    if ledger.waiting():
        console.print(
            f"Confirming the front with other seeds: {counted(ledger.waiting(), 'training')}", highlight=False
        )
        display = Display(
            ledger.waiting(),
            space.objectives,
            space.reference,
            title=f"confirming {search.name}",
            console=console,
        )
        recorder = Recorder(search, outbox, display)
        searcher = LedgerSearcher(
            ledger,
            space,
            lambda: None if ledger.waiting() else "confirmed",
            search.folder,
        )
        with ray_session(address, verbose), display:
            _tune(searcher, recorder, search, None, None)
        recorder.close_all()
    ledger.drop_confirmations()
    ledger.remember("ended", ended)


def _scheduler(search: Search) -> ParetoASHA | None:
    """Pareto ASHA, as far as the search has come; or none."""
    scheduler = scheduler_of(search.space)
    if scheduler is None:
        return None
    for trial in search.trials():
        if trial.status != "reused":
            feasible = {epoch: record.figures for epoch, record in trial.evaluated.items()}
            if trial.status in ("infeasible", "running"):
                feasible.pop(trial.epoch, None)  # one that was cut off reports it again
            scheduler.replay(trial.number, feasible, ended=trial.status in ("complete", "pruned"))
    return scheduler


def _tune(
    searcher: LedgerSearcher,
    recorder: Recorder,
    search: Search,
    scheduler: ParetoASHA | None,
    time_budget: float | None,
) -> None:
    """Let Ray Tune execute what the searcher hands out; without a scheduler none is stopped early.

    Tune asks no more once the last trial was handed out: for those put back afterwards it is started again.
    """
    resources = search.space.resources

    def asked(assignment: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([share(resources, assignment["gpus"])])

    tuner = tune.Tuner(
        tune.with_resources(train_trial, asked),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=places(resources),
            time_budget_s=time_budget,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: f"{trial.config['number']:03d}",
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(search.folder),
            callbacks=[recorder],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
        ),
    )
    tuner.fit()
    if search.ledger.left_over() and time_budget is None:
        _tune(searcher, recorder, search, scheduler, None)


def _begin(
    folder: Path, space: Space, fingerprint: str, tracker: Tracker, first: Sequence[FirstTrial]
) -> Search:
    write_text(folder / "space.yaml", space.text)
    run_id = open_parent(folder, space, tracker)
    facts = {"fingerprint": fingerprint, "tracking_uri": masked(tracker.uri), "versions": versions()}
    ledger = Ledger.create(folder / LEDGER, space, facts | {"run_id": run_id}, first)
    ledger.ready()
    return Search(folder, ledger)


def _reopen(search: Search, tracker: Tracker, space: Space) -> Search:
    run_id = str(search.ledger.facts().get("run_id"))
    if tracker.open_search(run_id) is None:
        raise UserError(
            f"{masked(tracker.uri)} has no MLflow run {run_id!r}, to which search {search.name!r} belongs: "
            "give the tracking URI that the search was started with, or write it all there with "
            f"'python -m tuning doctor {search.name} --fix --tracking-uri ...'"
        )
    tracker.set_status(run_id, "RUNNING", {})
    search.ledger.remember("ended", None)
    search.ledger.ready(space)
    return search


def _finish(search: Search, tracker: Tracker, outbox: Outbox, console: Console) -> None:
    """Export the front, as far as there is one, and leave in MLflow what the search came to."""
    if search.front():
        export(search, "all-front", search.folder / CONFIGS)
    with console.status("writing to MLflow"):
        trouble = outbox.close(PATIENCE)
        try:
            close_parent(search, tracker)
            if search_status(search) == "FINISHED":
                register(search, tracker)
        except Exception as error:  # every driver and server has its own
            trouble = reason(tracker.uri, error)
    if trouble is not None:
        console.print(
            f"MLflow has not all of this search: {trouble}. Nothing is lost; write the rest with "
            f"'python -m tuning doctor {search.name} --storage {search.folder.parent} --fix'",
            highlight=False,
            soft_wrap=True,
        )


def _name(stem: str, given: str | None, storage: Path, resume: bool) -> str:
    """The name of the search to begin, or to resume."""
    taken = names(storage)
    numbered = (stem if i == 1 else f"{stem}-{i}" for i in itertools.count(1))
    if given is None and not _FOLDER_NAME.fullmatch(stem):
        raise UserError(f"the space file's name {stem!r} cannot name a folder: give another with --name")
    if given is None and not resume:
        return next(name for name in numbered if name not in taken)
    if given is None:
        earlier = list(itertools.takewhile(taken.__contains__, numbered))
        if not earlier:
            raise UserError(f"--resume: no search of the space {stem!r} in {storage}")
        return earlier[-1]
    if given in taken and not resume:
        raise UserError(f"--name {given}: there is a search of that name; give --resume to go on with it")
    if not _FOLDER_NAME.fullmatch(given):
        raise UserError(
            f"--name {given!r}: should be a plain folder name, of letters, digits, - _ . + and spaces"
        )
    return given
