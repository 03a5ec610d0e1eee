"""Comparison of a search's files and MLflow runs with its ledger, and their repair.

The ledger is always right. The doctor changes no trial in it; it only removes an entry that a power cut has
left half written.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from dcodr.console import say
from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from dcodr.words import counted
from tuning.ledger.journal import cut_short, mend
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import TrialRecord, checkpoint_of, kept_of
from tuning.results.export import export_front, off_front
from tuning.results.final_metrics import unmeasured
from tuning.results.results import CONFIGS
from tuning.results.search import Search
from tuning.space import Space
from tuning.tracking import mirror
from tuning.tracking.artifacts import lost
from tuning.tracking.encoders import UNREGISTERED, doubled, register, taken, unregistered
from tuning.tracking.metrics import epoch_metrics
from tuning.tracking.store import masked, reaching, require_file, uri_of
from tuning.tracking.tracker import Tracker, TrialRun

ROUNDS = 4
"""Rounds of repair and comparison: a repair can reveal more, e.g. the missing trials of a new parent run."""


@dataclass(frozen=True)
class Finding:
    """A difference from the ledger, in one line, and its repair, if anything is to be done."""

    what: str
    mend: Callable[[], object] | None


@dataclass(frozen=True)
class Diagnosis:
    """The doctor's findings about a search: the number of its trials, and the differences from the ledger.

    Some are left after the repairs, whose number is ``mended``.
    """

    trials: int
    found: Sequence[Finding]
    mended: int
    left: Sequence[Finding]

    @property
    def well(self) -> bool:
        """True if nothing is left to repair."""
        return not any(finding.mend for finding in self.left)

    def facts(self) -> dict[str, Any]:
        """Return the diagnosis for scripts, as JSON values."""
        listed = {"found": self.found, "left": self.left}
        return {"well": self.well, "trials": self.trials} | {
            name: [{"what": finding.what, "to_mend": finding.mend is not None} for finding in findings]
            for name, findings in listed.items()
        }


def consult(search: Search, tracking_uri: str | None, fix: bool, console: Console) -> Diagnosis:
    """Compare a search that no process works on with its ledger; on request repair the differences.

    Without a tracking URI it is the one that the search was started with.

    Raises:
        UserError: If a process works on the search, or MLflow cannot be reached.
    """
    # The lock keeps a search from running while its files and runs are repaired.
    with driving(search.folder):
        uri = tracking_uri or uri_of(search.ledger.facts(), search.folder.parent)
        if not fix:  # a comparison must not create an SQLite file
            with reaching(uri):
                require_file(uri)
        with console.status("opening the MLflow tracking store"):
            tracker = Tracker(uri)
        found = left = _look(search, tracker, console)
        mended = 0
        for _ in range(ROUNDS if fix else 0):
            to_mend = [finding.mend for finding in left if finding.mend]
            if not to_mend:
                break
            with console.status(f"repairing {len(to_mend)}"), reaching(tracker.uri):
                for repair in to_mend:
                    repair()
            mended += len(to_mend)
            left = _look(search, tracker, console)
        return Diagnosis(len(search.ledger.records()), found, mended, left)


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Print the findings, the number of repairs, and the differences that are left."""
    _print(diagnosis, diagnosis.found, console)
    if diagnosis.mended:
        say(console, f"Repaired {diagnosis.mended}; compared again:")
        _print(diagnosis, diagnosis.left, console)
    elif not diagnosis.well:
        to_mend = sum(finding.mend is not None for finding in diagnosis.left)
        say(console, f"{to_mend} to repair: run the same command with --fix.")


def _print(diagnosis: Diagnosis, findings: Sequence[Finding], console: Console) -> None:
    for finding in findings:
        say(console, f"- {finding.what}")
    if not findings:
        say(console, f"Ledger, checkpoints and MLflow agree on {counted(diagnosis.trials, 'trial')}.")


def _look(search: Search, tracker: Tracker, console: Console) -> list[Finding]:
    with console.status("comparing ledger, checkpoints and MLflow"), reaching(tracker.uri):
        return list(examine(search, tracker))


def examine(search: Search, tracker: Tracker) -> Iterator[Finding]:
    """Compare ledger, checkpoints and MLflow of a search that no process works on."""
    yield from _examine_ledger(search)
    yield from _examine_checkpoints(search)
    yield from _examine_end(search)
    yield from _examine_runs(search, tracker)


def _examine_ledger(search: Search) -> Iterator[Finding]:
    path = search.folder / LEDGER
    if size := cut_short(path):
        yield Finding(
            f"{path} ends with {counted(size, 'byte')} of an entry that was not written whole",
            partial(mend, path),
        )


def _examine_checkpoints(search: Search) -> Iterator[Finding]:
    """Yield files of trials that have ended, and checkpoints from which a trial cannot resume."""
    running = {trial.number: trial for trial in search.ledger.records() if trial.status == "running"}
    for file in search.left_checkpoints():
        yield Finding(f"{file} is left over from a trial that has ended", file.unlink)
    for number, trial in running.items():
        yield from _examine_checkpoint(trial, checkpoint_of(search.folder, number))


def _examine_checkpoint(trial: TrialRecord, path: Path) -> Iterator[Finding]:
    from dcodr.training.checkpoint import before, load_checkpoint

    epoch = 0
    for file in (path, before(path)):
        if file.exists() and not epoch:
            try:
                epoch = load_checkpoint(file).last.epoch
            except UserError as error:
                yield Finding(str(error), file.unlink)
    if epoch < trial.epoch:
        yield Finding(
            f"trial {trial.number:03d}: the ledger has {counted(trial.epoch, 'epoch')}, the checkpoint only "
            f"{epoch}; the missing ones are trained again, with the same metrics",
            None,
        )


def _examine_end(search: Search) -> Iterator[Finding]:
    """Yield a missing end of the search, and missing configs."""
    results = search.results()
    if results.facts.get("ended") is None:
        over = Queue(search.ledger).over()
        running = any(trial.status == "running" for trial in results.records)
        kept = [kept_of(search.folder, run.number) / CHECKPOINT for run in unmeasured(results)]
        if over is None or results.unconfirmed or running or any(path.is_file() for path in kept):
            again = f"run its command again with --name {search.name} --resume"
            yield Finding(f"the search was interrupted; {again}", None)
            return
        what = "all trials have ended, but the ledger does not say that the search has ended"
        yield Finding(what, partial(search.ledger.remember, "ended", over))
    folder = search.folder / CONFIGS
    lacking = [name for name in map(results.config_file, results.front) if not (folder / name).is_file()]
    if lacking:
        yield Finding(f"{folder} lacks {', '.join(lacking)}", partial(export_front, results))
    elif spare := [path.name for path in off_front(results)]:
        what = f"{folder} has configs of trials that are not on the front: {', '.join(spare)}"
        yield Finding(what, partial(export_front, results))


def _examine_models(search: Search, tracker: Tracker) -> Iterator[Finding]:
    """Yield missing encoders of a finished search, and repeated versions of its model."""
    if (other := taken(tracker, search.folder, search.identity)) is not None:
        yield Finding(f"{other}{UNREGISTERED}", None)
        return
    if mirror.search_status(search.results()) == "FINISHED" and (lacking := unregistered(search, tracker)):
        aliases = ", ".join(itertools.chain(*lacking.values()))
        yield Finding(
            f"MLflow's registered model {search.name} lacks {aliases}", partial(register, search, tracker)
        )
    for version in doubled(search, tracker):
        yield Finding(
            f"MLflow has another version of the model {search.name} for the same trial and alias, {version}",
            partial(tracker.client.delete_model_version, search.name, version),
        )


def _examine_runs(search: Search, tracker: Tracker) -> Iterator[Finding]:
    """Yield differences of MLflow's runs: the parent, and one run for each trial."""
    run_id = str(search.ledger.facts().get("run_id"))
    found = tracker.open_search(run_id)
    if found is None:
        yield Finding(
            f"{masked(tracker.uri)} has no run {run_id} of the search", partial(_open_parent, search, tracker)
        )
        return
    if (folder := lost(tracker.uri, tracker.artifacts)) is not None:
        yield Finding(
            f"MLflow's artifacts are not in {folder}: the search was moved, or they were deleted; MLflow "
            "cannot change their place, so the search is written anew",
            partial(_write_anew, search, tracker),
        )
        return
    for other in tracker.parents(search.identity):
        if other != run_id:
            yield Finding(
                f"MLflow has another run of the whole search, {other}", partial(tracker.discard, other)
            )
    runs = defaultdict(list)
    for run in tracker.trial_runs():
        runs[run.number].append(replace(run, epochs=tracker.epochs(run.run_id)))
    for record in search.ledger.records():
        yield from _examine_trial(search, tracker, record, runs.pop(record.number, []))
    for number, unknown in runs.items():
        for run in unknown:
            what = f"MLflow run {run.run_id} is of a trial {number:03d} that the ledger does not know"
            yield Finding(what, partial(tracker.discard, run.run_id))
    wanted = mirror.search_status(search.results())
    if found != wanted:
        yield Finding(
            f"the search is {found} in MLflow, and should be {wanted}",
            partial(mirror.close_parent, search, tracker),
        )
    results = search.results()
    if results.facts.get("ended") is not None and (wrong := mirror.wrong_ranks(results, tracker)):
        numbers = ", ".join(f"{run.number:03d}" for run, _ in wrong)
        what = f"MLflow's tags of front and rank are missing or old: of trials {numbers}"
        yield Finding(what, partial(mirror.tell_ranks, results, tracker))
    yield from _examine_models(search, tracker)


def _examine_trial(
    search: Search, tracker: Tracker, record: TrialRecord, runs: list[TrialRun]
) -> Iterator[Finding]:
    """Yield differences of a trial's runs in MLflow."""
    name = f"trial {record.number:03d}"
    write = partial(mirror.bring, tracker, search, record, driven=False)
    if not runs:
        if mirror.is_mirrored(record):
            yield Finding(f"{name} ({record.status}): MLflow has no run of it", partial(write, None))
        return
    # Keep the run without contradictions and with the most epochs: it needs the fewest repairs.
    best, *others = sorted(runs, key=lambda run: (bool(_wrong(record, search.space, run)), -len(run.epochs)))
    for run in others:
        what = f"{name}: MLflow has another run of it, {run.run_id}"
        yield Finding(what, partial(tracker.discard, run.run_id))
    if wrong := _wrong(record, search.space, best):

        def write_anew() -> None:
            tracker.discard(best.run_id)
            write(None)

        yield Finding(f"{name}: MLflow run {best.run_id} has {wrong}", write_anew)
    elif lacks := mirror.gap(search, record, best, driven=False):
        yield Finding(f"{name}: MLflow run {best.run_id} lacks {_in_words(lacks)}", partial(write, best))


def _wrong(record: TrialRecord, space: Space, run: TrialRun) -> str | None:
    """Return a contradiction to the ledger that cannot be removed from a run; ``None`` if there is none."""
    twice = sorted({epoch for epoch in run.epochs if run.epochs.count(epoch) > 1})
    if twice:
        return f"metrics twice, of epochs {_listed(twice)}"
    foreign = sorted(set(run.epochs) - set(record.epochs))
    if foreign:
        return f"metrics of epochs that the ledger does not know: {_listed(foreign)}"
    known: dict[str, object] = {name: str(value) for name, value in mirror.parameters(record, space).items()}
    found: dict[str, object] = {name: run.params.get(name, value) for name, value in known.items()}
    # MLflow hands out the last value of a metric only, so it compares with the last epoch only.
    if run.epochs and max(run.epochs) == record.epoch:
        known |= epoch_metrics(record.epochs[record.epoch], space.objectives)
        found |= run.metrics
    for name, value in known.items():
        if found.get(name) != value:
            return f"{name} {found.get(name)}, and the ledger {value}"
    return None


def _in_words(lacks: mirror.Gap) -> str:
    parts = ["settings"] if lacks.settings else []
    if lacks.epochs:
        parts.append(f"epochs {_listed(lacks.epochs)}")
    if lacks.test:
        parts.append("its metrics on the test images")
    if lacks.status:
        parts.append(f"its status {lacks.status}")
    parts += [f"{name} {value!r}" for name, value in lacks.tags.items()]
    return ", ".join(parts)


def _listed(epochs: list[int] | tuple[int, ...]) -> str:
    return ", ".join(map(str, epochs))


def _write_anew(search: Search, tracker: Tracker) -> None:
    """Move the search's runs to MLflow's trash, and open a new parent run in an experiment of this folder."""
    tracker.discard(tracker.search_id)
    _open_parent(search, tracker)


def _open_parent(search: Search, tracker: Tracker) -> None:
    """Open a parent run for the search in a store that lacks the run that the ledger names.

    The ledger names the new run before trials are written below it, so that a repair that is killed finds the
    run again.
    """
    ledger = search.ledger
    ledger.remember("id", search.identity)
    run_id = mirror.open_parent(search.folder, search.space, tracker, search.identity)
    ledger.remember("tracking_uri", masked(tracker.uri))
    ledger.remember("run_id", run_id)
