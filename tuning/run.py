"""``run_search``: puts a search together; the only file that knows all the others."""

import itertools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from rich.console import Console

from dcodr.errors import UserError
from dcodr.files import is_uri
from dcodr.weights import IMAGENET
from tuning.cluster.nodes import check_nodes, places, require_reachable, share
from tuning.display import Display
from tuning.export import export, versions
from tuning.ledger import Ledger
from tuning.outcome import Outcome
from tuning.preflight.checks import check, check_storage, cpus_here
from tuning.recorder import Recorder, end_run, label
from tuning.report import front_csv, print_summary
from tuning.scheduler import ParetoASHA, scheduler_of
from tuning.search import CONFIGS, LEDGER, Search, names
from tuning.searcher import LedgerSearcher
from tuning.settings import BUDGETS
from tuning.space import Space
from tuning.tracking import Status as RunStatus
from tuning.tracking import Tracker, default_uri, masked
from tuning.trainable import train_trial
from tuning.trials import FirstTrial
from tuning.warm_start import first_trials

EXPERIMENT = "dcodr"

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""Ray writes no logs of its own beside ours; a report without some figure is no error; Ctrl-C reaches us."""


def run_search(
    space: Space,
    *,
    text: str = "",
    name: str | None = None,
    storage: Path = Path("runs"),
    tracking_uri: str | None = None,
    address: str | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Search:
    """Run a search to its end, or go on with one.

    Args:
        space: What to search.
        text: The space file as it was written, kept with the search.
        name: The search's name; by default the space's, numbered if taken.
        storage: Folder of all searches; on a cluster one that every node sees.
        tracking_uri: MLflow's; by default an SQLite file in ``storage``.
        address: Ray cluster to run on; by default this machine alone.
        resume: Whether to go on with the search of that name: finished trials are kept, those that were cut
            off begin anew.
        console: Where to show progress; by default standard output.

    Returns:
        The search; the configs of its front are in its folder, under ``configs``.

    Raises:
        UserError: If something is wrong that can be known beforehand; no search is begun then.
        KeyboardInterrupt: If the user stops it; it can be resumed then.
    """
    console = console or Console()
    check_storage(storage)
    storage = storage.resolve()
    data = check(space, address, console)
    first = first_trials(space)
    name = _name(space.name, name, storage, resume)
    uri = tracking_uri or default_uri(storage)
    earlier = Search.open(name, storage) if resume else None
    if earlier is not None:
        _check_same(earlier, space, data.fingerprint)
    if address is not None or space.resources.gpu_type is not None:
        with console.status("checking the nodes of the cluster"), _ray(address):
            check_nodes(_absolute(space), storage, data.fingerprint)
    storage.mkdir(parents=True, exist_ok=True)
    with console.status("opening the MLflow tracking store"):
        artifacts = None if uri.startswith(("http://", "https://")) else (storage / "mlartifacts").as_uri()
        tracker = Tracker(uri, EXPERIMENT, artifacts)
    if earlier is None:
        search = _begin(storage / name, space, text, data.fingerprint, tracker, first)
    else:
        search = _reopen(earlier, tracker, space)
    status: RunStatus = "FAILED"
    try:
        _train(search, tracker, address, console)
        status = "FINISHED" if search.front() else "FAILED"
    except BaseException as error:
        _cut_off(search, tracker)
        if isinstance(error, KeyboardInterrupt):
            status = "KILLED"
            console.print(f"Stopped. Go on with the same command and: --name {name} --resume", soft_wrap=True)
        raise
    finally:
        _finish(search, tracker, status)
    print_summary(search, console, tracker.uri)
    return search


def _train(search: Search, tracker: Tracker, address: str | None, console: Console) -> None:
    """Search until the budget is spent, then confirm what was found."""
    ledger, space = search.ledger, search.space
    if ledger.over() is None:
        display = Display(space.search.trials, space.objectives, console=console)
        for trial, outcome in search.ended():
            if trial.confirms is None:
                display.trial_restored(trial.number, label(trial.values), outcome, trial.figures)
        recorder = Recorder(ledger, tracker, display)
        searcher = LedgerSearcher(ledger, _absolute(space), ledger.over)
        with _ray(address), display:
            _tune(searcher, recorder, search, _scheduler(search), space.search.time_budget)
        recorder.close_all()
    ledger.remember("ended", ledger.over() or f"the time budget of {space.search.time_budget:g} s is spent")
    for number, seed in search.unconfirmed():
        ledger.confirm(number, seed)
    if ledger.waiting():
        console.print(f"Confirming the front with other seeds: {ledger.waiting()} trainings", highlight=False)
        display = Display(ledger.waiting(), space.objectives, console=console)
        recorder = Recorder(ledger, tracker, display)
        searcher = LedgerSearcher(ledger, _absolute(space), lambda: None if ledger.waiting() else "confirmed")
        with _ray(address), display:
            _tune(searcher, recorder, search, None, None)
        recorder.close_all()


def _scheduler(search: Search) -> ParetoASHA | None:
    """Pareto ASHA, as far as the search has come; or none."""
    scheduler = scheduler_of(search.space)
    if scheduler is None:
        return None
    for trial in search.trials():
        if trial.status != "reused":
            feasible = dict(trial.history)
            if trial.status == "infeasible":
                feasible.pop(trial.epoch, None)
            scheduler.replay(trial.number, feasible, ended=trial.status in ("complete", "pruned"))
    return scheduler


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """Ray, on this machine or a cluster, quiet."""
    os.environ.update(QUIET)
    if address is not None:
        require_reachable(address)
    try:
        ray.init(
            address=address or "local",
            num_cpus=None if address else cpus_here(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--address {address}: {reason}. Does it run, with this version of Ray? If it was started with "
            "a token, set RAY_AUTH_MODE=token here; see docs/cluster.md"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _tune(
    searcher: LedgerSearcher,
    recorder: Recorder,
    search: Search,
    scheduler: ParetoASHA | None,
    time_budget: float | None,
) -> None:
    """Let Ray Tune execute what the searcher hands out; without a scheduler none is stopped early."""
    resources = search.space.resources
    tuner = tune.Tuner(
        tune.with_resources(train_trial, share(resources)),
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
            name="ray", storage_path=str(search.folder), callbacks=[recorder], verbose=0
        ),
    )
    tuner.fit()


def _begin(
    folder: Path, space: Space, text: str, fingerprint: str, tracker: Tracker, first: Sequence[FirstTrial]
) -> Search:
    folder.mkdir(parents=True)
    (folder / "space.yaml").write_text(text, encoding="utf-8")
    facts = {"fingerprint": fingerprint, "tracking_uri": masked(tracker.uri), "versions": versions()}
    ledger = Ledger.create(folder / LEDGER, space, facts, first)
    tags = {"search": folder.name, "dataset": space.base.dataset, "method": space.base.method}
    params: dict[str, Any] = {"trials": space.search.trials, "sampler": space.search.sampler}
    params |= {"seed": space.search.seed, "objectives": ", ".join(space.objectives)}
    ledger.remember("run_id", tracker.start_search(folder.name, tags, params, text))
    ledger.ready()
    return Search(folder, ledger)


def _reopen(search: Search, tracker: Tracker, space: Space) -> Search:
    tracker.resume_search(search.ledger.facts()["run_id"])
    _cut_off(search, tracker, space)
    return search


def _cut_off(search: Search, tracker: Tracker, space: Space | None = None) -> None:
    """Close what was running when a driver stopped; it begins anew when the search goes on.

    A driver may have died after the ledger knew a trial's end and before MLflow did: the ledger is right.
    """
    closed = tracker.close_unfinished(search.ledger.facts()["run_id"])
    for trial, outcome in search.ended():
        if trial.run_id in closed:
            end_run(tracker, trial.run_id, outcome, trial.epoch, trial.reason)
    search.ledger.ready(space)


def _finish(search: Search, tracker: Tracker, status: RunStatus) -> None:
    """Close the parent run and export the front, as far as there is one."""
    artifacts = {"environment.json": json.dumps(search.ledger.facts()["versions"], indent=2)}
    front = search.front()
    if front:
        artifacts["front.csv"] = front_csv(search)
        export(search, "all-front", search.folder / CONFIGS)
    counts = Counter(trial.status for trial in search.trials())
    kinds: tuple[Outcome, ...] = ("complete", "pruned", "infeasible", "failed")
    tags = {f"trials_{kind}": str(counts[kind]) for kind in kinds} | {"front": str(len(front))}
    tracker.end_search(status, tags, artifacts)


def _absolute(space: Space) -> Space:
    """The space with paths that hold wherever a worker runs."""
    base = space.base
    update: dict[str, Any] = {} if is_uri(base.data) else {"data": str(base.store.resolve())}
    for name in ("encoder", "perceptual"):
        part = getattr(base, name)
        if part.weights not in (None, IMAGENET):
            update[name] = part.model_copy(update={"weights": str(Path(part.weights).resolve())})
    return space.model_copy(update={"base": base.model_copy(update=update)})


def _name(stem: str, given: str | None, storage: Path, resume: bool) -> str:
    """The name of the search to begin, or to resume."""
    taken = names(storage)
    numbered = (stem if i == 1 else f"{stem}-{i}" for i in itertools.count(1))
    if given is None and not resume:
        return next(name for name in numbered if name not in taken)
    if given is None:
        earlier = list(itertools.takewhile(taken.__contains__, numbered))
        if not earlier:
            raise UserError(f"--resume: no search of the space {stem!r} in {storage}")
        return earlier[-1]
    if given in taken and not resume:
        raise UserError(f"--name {given}: there is a search of that name; give --resume to go on with it")
    if not given or Path(given).name != given:
        raise UserError(f"--name {given!r}: should be a plain folder name")
    return given


def _check_same(search: Search, space: Space, fingerprint: str) -> None:
    """Refuse to resume a search as another one; only its budget may differ."""
    old, new = search.space.model_dump(), space.model_dump()
    for spec in (old, new):
        del spec["name"]
        for key in BUDGETS:
            del spec["search"][key]
    changed = [key for key in old if old[key] != new[key]]
    if changed:
        raise UserError(f"--resume: {', '.join(changed)} of the space differ from those of {search.name!r}")
    if search.ledger.facts()["fingerprint"] != fingerprint:
        raise UserError(f"--resume: {space.base.store} is not the dataset that {search.name!r} began with")
