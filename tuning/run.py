"""``run_search``: check everything, start Ray and MLflow, run the stages of a search, conclude it."""

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from dcodr.console import say, unfailing
from dcodr.errors import StorageError, UserError
from dcodr.evaluation.report import PROTOCOL
from dcodr.files import write_text
from dcodr.versions import versions
from dcodr.words import once_more, option
from tuning.cluster.nodes import ready
from tuning.cluster.session import ray_session
from tuning.driver.notebook import console_here
from tuning.driver.stages import run_stages
from tuning.driver.warm_start import first_trials
from tuning.interrupts import ending_at_once
from tuning.ledger.journal import mend
from tuning.ledger.ledger import SEARCHED, Ledger
from tuning.ledger.lock import driving
from tuning.ledger.resume import require_same
from tuning.ledger.storage import LEDGER, discard, guarded, names, occupied, unfit
from tuning.ledger.trials import FirstTrial
from tuning.preflight.checks import check, check_storage
from tuning.preflight.reference import with_constant_answers
from tuning.report.terminal import print_summary
from tuning.results.export import export_front
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space
from tuning.tracking.artifacts import require_artifacts
from tuning.tracking.conclusion import Conclusion, what_mattered
from tuning.tracking.encoders import register, taken
from tuning.tracking.mirror import close_parent, open_parent, search_status
from tuning.tracking.outbox import Outbox
from tuning.tracking.store import answering, default_uri, masked, reason, require_file, ui_command, uri_of
from tuning.tracking.tracker import Tracker

PATIENCE = 20.0
"""Seconds for which a search that is over or was stopped waits for an MLflow that does not answer. After a
failure, most likely of the disk that MLflow is on as well, it is tried once."""


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
    """Run a search to its end, or resume one.

    Args:
        space: The search space.
        name: The search's name; by default the space's name, numbered if taken.
        storage: Folder of all searches; on a cluster a folder that every node sees.
        tracking_uri: MLflow's tracking URI; by default an SQLite file in ``storage``.
        address: Ray cluster to run on; by default this machine alone.
        resume: Whether to resume the search of that name: finished trials are kept, interrupted trials resume
            from their last checkpoints.
        allow_space_change: Whether the space may differ from the search's first space, if the earlier trials
            fit the new one; see :func:`tuning.ledger.resume.require_same`.
        verbose: Whether to show Ray's own messages and the output of workers as well.
        console: Console for progress; by default standard output, in a notebook one block below the cell.

    Returns:
        The search; the configs of its front are in its folder, under ``configs``.

    Raises:
        UserError: If a mistake can be found beforehand; no search is begun then.
        StorageError: If the storage fails during the search; the search can be resumed.
        KeyboardInterrupt: If the user stops the search, or SIGTERM or SIGHUP does under ``tune.py``; the
            search can be resumed.
    """
    # 1. Check everything before Ray, MLflow or the search's folder exist: a mistake leaves no search behind.
    console = unfailing(console or console_here())
    storage = Path(storage)
    check_storage(storage)
    storage = storage.resolve()
    data = check(space, address, console)
    space = with_constant_answers(space, data)
    first = [] if resume else first_trials(space)
    name = _name(space.name, name, storage, resume)
    uri = tracking_uri
    if resume:
        earlier, resuming = Search.open(name, storage), option("resume", True)
        uri = uri or uri_of(earlier.ledger.facts(), storage)
        require_same(earlier.ledger, space, allow_change=allow_space_change)
        if earlier.ledger.facts()["fingerprint"] != data.fingerprint:
            raise UserError(
                f"{resuming}: {space.base.store} is not the dataset that {name!r} began with: give that one"
            )
        if earlier.ledger.facts().get("protocol") != PROTOCOL:
            raise UserError(
                f"{resuming}: {name!r} began under an earlier version, which measured some metrics "
                "differently; old and new ones cannot be compared: begin a new search with another name "
                f"({option('name')})"
            )
    uri = uri or default_uri(storage)
    # 2. Start Ray, open MLflow, take the driver's lock, and only then begin or reopen the ledger.
    with _ray(address, verbose, name, console):
        ready(space, address, storage, data.fingerprint)
        with console.status("opening the MLflow tracking store"):
            tracker = Tracker(uri)
        folder = storage / name
        if not resume:
            _require_own_model(tracker, folder)
        folder.mkdir(parents=True, exist_ok=True)
        with driving(folder):
            with answering(uri):
                if resume:
                    mend(folder / LEDGER)
                    search = _reopen(Search.open(name, storage), tracker, space)
                elif (folder / LEDGER).exists():  # begun by another process meanwhile
                    raise UserError(f"{folder} has a search by now: begin this one again with another name")
                else:
                    search = begin(folder, space, data.fingerprint, tracker, first)
            with guarded(folder, masked(uri)):
                _drive(search, tracker, console)
    print_summary(search.results(), console, _where(tracker))
    return search


def _where(tracker: Tracker) -> list[str]:
    """Return lines with the commands that show a search in MLflow."""
    return [f"Compare the trials: {ui_command(tracker.uri)}", f"and open {tracker.page}"]


@contextmanager
def _ray(address: str | None, verbose: bool, name: str, console: Console) -> Iterator[None]:
    """Connect to Ray for a search, and report the loss of a cluster's head."""

    def on_head(answers: bool) -> None:
        again = f"once the cluster is back, {once_more(name=name, resume=True)}"
        lost = (
            "The head of the Ray cluster does not answer. Ray waits a minute for it and then ends this "
            f"process. Nothing that was finished is lost: {again}"
        )
        say(console, "The head of the Ray cluster answers again" if answers else lost)

    with ExitStack() as stack:
        with console.status("starting Ray"):
            stack.enter_context(ray_session(address, verbose, on_head))
        yield


def _drive(search: Search, tracker: Tracker, console: Console) -> None:
    """Run the search, and leave ledger, MLflow and exports in order even if it fails or is stopped."""
    outbox = Outbox(tracker, search, lambda text: say(console, text))
    try:
        with answering(tracker.uri):
            outbox.catch_up(search.ledger.records())
        run_stages(search, outbox, console)
    except BaseException as error:  # Ctrl-C, too, has to leave everything in order
        if isinstance(error, KeyboardInterrupt):
            again = f"To continue, {once_more(name=search.name, resume=True)}."
            at_once = "Stopping; press Ctrl-C or send the signal again to end at once."
            say(console, f"{at_once} {again}")
        with ending_at_once():
            patience = PATIENCE if isinstance(error, KeyboardInterrupt) else 0
            _tidy_up(search, tracker, outbox, console, patience)
        raise
    finish(search, tracker, outbox, console, PATIENCE)


def _tidy_up(search: Search, tracker: Tracker, outbox: Outbox, console: Console, patience: float) -> None:
    """Record as much as possible of an interrupted search."""
    try:
        for record in search.ledger.records():
            if record.status == "running":
                outbox.put(record, driven=False)
        finish(search, tracker, outbox, console, patience)
    except (OSError, StorageError):  # most likely the error that stopped the search, reported at the end
        outbox.close(0)
    except UserError as error:
        say(console, str(error))


def begin(
    folder: Path, space: Space, fingerprint: str, tracker: Tracker, first: Sequence[FirstTrial]
) -> Search:
    """Begin a search in its own existing folder, which nobody else uses; if that fails, remove it."""
    identity = uuid4().hex
    facts = {
        "id": identity,
        "fingerprint": fingerprint,
        "protocol": PROTOCOL,
        "tracking_uri": masked(tracker.uri),
        "versions": versions(),
    }
    try:
        write_text(folder / "space.yaml", space.file_text())
        run_id = open_parent(folder, space, tracker, identity)
        ledger = Ledger.create(folder / LEDGER, space, facts | {"run_id": run_id}, first)
    except BaseException:
        discard(folder)
        raise
    ledger.ready(SpaceSampler)
    return Search(folder, ledger)


def _require_own_model(tracker: Tracker, folder: Path) -> None:
    """Refuse a new search whose name is that of another search's registered model."""
    with answering(tracker.uri):
        other = taken(tracker, folder)
    if other is not None:
        raise UserError(f"{other}: give this search another name with {option('name')}")


def _reopen(search: Search, tracker: Tracker, space: Space) -> Search:
    run_id = str(search.ledger.facts().get("run_id"))
    if tracker.open_search(run_id) is None:
        raise UserError(
            f"{masked(tracker.uri)} has no MLflow run {run_id!r}, to which search {search.name!r} belongs: "
            "give the tracking URI that the search was started with, or write the whole search there with "
            f"'python -m tuning doctor {search.name} --fix --tracking-uri ...'"
        )
    require_artifacts(tracker.uri, tracker.artifacts)
    tracker.set_status(run_id, "RUNNING", {})
    budgets = [
        (one.search.trials, one.search.epoch_budget, one.search.time_budget) for one in (search.space, space)
    ]
    if search.ledger.facts().get("ended") is not None or budgets[0] != budgets[1]:
        search.ledger.remember(SEARCHED, False)
    search.ledger.remember("ended", None)
    search.ledger.ready(SpaceSampler, space)
    search.forget_checkpoints()
    return search


def finish(search: Search, tracker: Tracker, outbox: Outbox, console: Console, patience: float) -> None:
    """Export the front, if there is one, and write the search's results to MLflow; close the outbox.

    ``patience`` is the seconds to wait for an MLflow that does not answer.
    """
    concluded = None
    try:
        search.forget_checkpoints()
        results = search.results()
        if results.front:
            export_front(results)
            with console.status("analysing"):
                concluded = what_mattered(results)
            files, sentence = concluded
            if results.facts.get("ended") is not None and not files:
                say(console, sentence)
    finally:
        trouble = _close_mlflow(search, tracker, outbox, console, patience, concluded)
    if trouble is not None:
        say(
            console,
            f"MLflow lacks a part of this search: {trouble}. Nothing is lost; write the rest with "
            f"'python -m tuning doctor {search.name} --storage {search.folder.parent} --fix'",
        )


def _close_mlflow(
    search: Search,
    tracker: Tracker,
    outbox: Outbox,
    console: Console,
    patience: float,
    concluded: Conclusion | None,
) -> str | None:
    """Write the search's results to MLflow; return the reason if that fails."""
    with console.status("writing to MLflow"):
        trouble = outbox.close(patience)
        try:
            require_file(tracker.uri)
            close_parent(search, tracker, concluded)
            if search_status(search.results()) == "FINISHED":
                for sentence in register(search, tracker):
                    say(console, sentence)
        except Exception as error:  # every database driver and server has its own exceptions
            return reason(tracker.uri, error)
        return trouble


def _name(stem: str, given: str | None, storage: Path, resume: bool) -> str:
    """Return the name of the search to begin or to resume."""
    asked = option("name", given) if given is not None else f"the space file's name {stem!r}"
    if (why := unfit(stem if given is None else given, storage)) is not None:
        raise UserError(
            f"{asked} {why}" + ("" if given is not None else f": give another with {option('name')}")
        )
    taken = names(storage)
    numbered = (stem if i == 1 else f"{stem}-{i}" for i in itertools.count(1))
    if given is None and not resume:
        return next(name for name in numbered if name not in taken and occupied(name, storage) is None)
    if given is None:
        # Other numbers may be missing: searches are deleted, and folders of other things are passed over.
        earlier = [name for name in taken if re.fullmatch(rf"{re.escape(stem)}(-[0-9]{{1,9}})?", name)]
        if not earlier:
            raise UserError(
                f"{option('resume', True)}: no search of the space {stem!r} in {storage}: begin one "
                f"without it, or give the name and folder of one ({option('name')}, {option('storage')})"
            )
        return max(earlier, key=lambda name: int(name.removeprefix(stem).removeprefix("-") or 1))
    if given in taken and not resume:
        raise UserError(
            f"{asked}: a search of that name exists; give {option('resume', True)} to continue it"
        )
    if not resume and (why := occupied(given, storage)) is not None:
        raise UserError(f"{asked} cannot be taken: {why}")
    return given
