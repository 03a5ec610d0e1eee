"""Rows of the platform: the cost of a search besides training, with the real searcher, ledger and MLflow.

``turnaround`` and ``training_share`` run searches with ``run_search`` and Ray. Their trials write to a file
when they begin, train, save, report and end. ``driver`` measures the CPU time of all threads of the driver in
searches whose trials only report (see :mod:`benchmarks.scale`).
"""

import io
import json
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from ray import cloudpickle
from rich.console import Console

from benchmarks import scale
from benchmarks.measure import Row, alone, note
from dcodr.data.prepare import prepare_synthetic
from dcodr.training import trainer
from dcodr.training.checkpoint import save_checkpoint
from dcodr.training.trainer import fit
from tuning import run
from tuning.cluster.machine import cpus_here
from tuning.driver import stages, trainable
from tuning.driver.protocol import Assignment
from tuning.driver.searcher import LedgerSearcher
from tuning.space import Space, load_space
from tuning.tracking import mirror
from tuning.tracking.outbox import Outbox
from tuning.tracking.tracker import TrialRun

SHORT = 24, 2, 600, True
"""Trials of seconds: their number, a third of them random; epochs; images; true for early stopping."""
LONG = 6, 4, 5_400, False
"""Trials of about a minute."""
REPORTING, FEW, MANY = 24, 4, 24
"""Number of trials that only report, and two numbers of reports."""

Kind = Literal["begins", "trained", "saves", "reports", "goes on", "ends"]


@dataclass(frozen=True)
class Moment:
    """An event of a trial.

    Attributes:
        worker: Process id of the worker.
        trial: Number of the trial.
        kind: The trial ``begins``, has ``trained`` its first step, ``saves`` an evaluated epoch, ``reports``
            it, ``goes on``, and ``ends``.
        at: Time in seconds since 1970.
    """

    worker: int
    trial: int
    kind: Kind
    at: float


@dataclass
class Spent:
    """Cost of the driver, from the first proposal to the last write to MLflow.

    Attributes:
        began: Time of the first request for a trial, in seconds since 1970.
        cpu: CPU seconds of all threads.
    """

    began: float = 0.0
    cpu: float = 0.0


def turnaround() -> list[Row]:
    """Measure the time from a trial's end to the next one's first step, in short trials of ``augs.yaml``."""
    seconds, cores = alone(_turnarounds)
    median = statistics.median(seconds)
    work = f"a trial's end to the next one's first step, {len(seconds)} times on {cores} cores"
    return [Row(work, "", f"{median:.2f} s (at most {max(seconds):.2f})", None, "<= 1 s", median <= 1)]


def training_share() -> list[Row]:
    """Measure the share of the cores' time in training and evaluation, in trials of a minute, one per core.

    The cores' time counts from the first proposal, before there are workers, to the end of the last trial of
    each core. Building networks, checkpoints, reports, pictures and waiting do not count as training.
    """
    trained, lasted, cores = alone(_share_in_training)
    work = f"share of {cores} cores in training, trials of {lasted:.0f} s"
    return [Row(work, "", f"{trained:.2%}", None, ">= 95 %", trained >= 0.95)]


def driver() -> list[Row]:
    """Measure the driver's CPU time per report, from searches with few and many reports per trial."""
    rows = []
    for work, ray in (("each written by itself", False), ("through Ray, in quick succession", True)):
        few, many = (alone(reporting, epochs, ray) for epochs in (FEW, MANY))
        # The difference of the searches is the cost of the additional reports; the rest is the trials'.
        report = (many - few) / (REPORTING * (MANY - FEW))
        trial = few / REPORTING - FEW * report
        ours = f"{1000 * report:.1f} ms (and {1000 * trial:.0f} ms a trial)"
        rows.append(Row(f"driver, a report, {work}", "", ours, None, "<= 5 ms", report <= 0.005))
    return rows


def waits(moments: Sequence[Moment], cores: int) -> list[float]:
    """Return the seconds from each trial's end to the first step of its successor.

    A trial succeeds the previous one in its worker. In a new worker, if all places were taken, it succeeds
    the trial that ended first. A trial that is stopped early, or cannot compete, ends with its last report.

    Args:
        moments: Events of the trials.
        cores: Number of concurrent trials.
    """
    seconds: list[float] = []
    free: dict[int, float] = {}
    for n, told in enumerate(_by_trial(moments)):
        last = {moment.kind: moment.at for moment in told}
        worker = told[0].worker
        if worker in free or n >= cores:
            seconds.append(last["trained"] - free.pop(worker if worker in free else next(iter(free))))
        stopped = last["reports"] > last.get("goes on", 0)
        free[worker] = last["reports"] if stopped else last["ends"]
    return seconds


def share(moments: Sequence[Moment], began: float, cores: int) -> float:
    """Return the share of the cores' time in training and evaluation.

    Args:
        moments: Events of the trials.
        began: Start of the cores' time, which ends with the last trial of each core.
        cores: Number of concurrent trials.
    """
    training = sum(
        after.at - before.at
        for told in _by_trial(moments)
        for before, after in pairwise(told)
        if after.kind == "saves"
    )
    ends = sorted(moment.at for moment in moments if moment.kind == "ends")
    return training / sum(end - began for end in ends[-cores:])


def _by_trial(moments: Sequence[Moment]) -> list[list[Moment]]:
    """Group the events by trial, in the order of the trials' starts."""
    trials: dict[int, list[Moment]] = {}
    for moment in sorted(moments, key=lambda moment: moment.at):
        trials.setdefault(moment.trial, []).append(moment)
    return list(trials.values())


def _turnarounds() -> tuple[list[float], int]:
    moments, _ = _trained(*SHORT)
    return waits(moments, cpus_here()), cpus_here()


def _share_in_training() -> tuple[float, float, int]:
    """Return the share, the seconds of a trial, and the number of cores."""
    moments, spent = _trained(*LONG)
    lasted = [told[-1].at - told[0].at for told in _by_trial(moments)]
    return share(moments, spent.began, cpus_here()), statistics.median(lasted), cpus_here()


def _trained(trials: int, epochs: int, images: int, early_stopping: bool) -> tuple[list[Moment], Spent]:
    """Search ``augs.yaml`` on the embedded dataset with normal training."""
    with tempfile.TemporaryDirectory(prefix="platform-") as name, _spending() as spent:
        folder = Path(name)
        prepare_synthetic(folder / "data.h5", images)
        os.environ["BENCH_MOMENTS"] = str(folder / "moments")  # read by the workers
        space = load_space(
            scale.SPACE,
            data=str(folder / "data.h5"),
            settings={"epochs": epochs},
            search={"trials": trials, "startup_trials": max(2, trials // 3), "confirm": None},
        )
        _search(space if early_stopping else _unstopped(space), folder, train_and_tell)
        lines = (folder / "moments").read_text().splitlines()
        return [Moment(**json.loads(line)) for line in lines], spent


def train_and_tell(assignment: dict[str, Any]) -> None:
    """Train a trial normally and record its events."""
    number = Assignment.from_dict(assignment).number

    def tell(kind: Kind) -> None:
        moment = Moment(os.getpid(), number, kind, time.time())
        with Path(os.environ["BENCH_MOMENTS"]).open("a") as file:
            file.write(f"{json.dumps(asdict(moment))}\n")

    def telling_save(*args: Any) -> None:
        tell("saves")
        save_checkpoint(*args)

    def telling_fit(config: Any, data: Any, *, on_epoch: Any, **options: Any) -> Any:
        steps = 0

        def on_step(done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps == 1:
                tell("trained")

        def on_epoch_(epoch: Any) -> None:
            tell("reports")
            on_epoch(epoch)
            tell("goes on")

        return fit(config, data, on_epoch=on_epoch_, on_step=on_step, **options)

    tell("begins")
    try:
        with replaced(trainable, "fit", telling_fit), replaced(trainer, "save_checkpoint", telling_save):
            trainable.train_trial(assignment)
    finally:
        tell("ends")


def reporting(epochs: int, ray: bool) -> float:
    """Measure the driver's CPU seconds in a search without early stopping, whose trials only report.

    Args:
        epochs: Reports of each trial.
        ray: True for a search through Ray Tune, false for the same calls with every report written by itself.
    """
    with tempfile.TemporaryDirectory(prefix="platform-") as name, _spending() as spent:
        folder = Path(name)
        space = _unstopped(scale.space_of(REPORTING, "random", epochs, folder / "data.h5"))
        # The analysis at the end takes seconds, however many reports there were.
        with replaced(run, "what_mattered", lambda results: ([], "")):
            if ray:
                prepare_synthetic(folder / "data.h5", scale.IMAGES)
                _search(space, folder, scale.only_report)
            else:
                with _one_by_one():
                    scale.drive(space, folder, Console(file=io.StringIO(), width=100), gather=0.0)
        note(f"{REPORTING} trials, {epochs} reports: {spent.cpu:.2f} s")
        return spent.cpu


def _unstopped(space: Space) -> Space:
    """Return a space without early stopping."""
    return space.model_copy(update={"search": space.search.model_copy(update={"scheduler": None})})


def _search(space: Space, folder: Path, trial: Any) -> None:
    """Run a search with Ray on this machine; workers get the trial function by value."""
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    # By value, so that workers need not import this module.
    cloudpickle.register_pickle_by_value(sys.modules[trial.__module__])  # type: ignore[no-untyped-call]
    with replaced(stages, "train_trial", trial):
        run.run_search(space, storage=folder, console=Console(file=io.StringIO(), width=100))


@contextmanager
def _spending() -> Iterator[Spent]:
    """Measure the cost of a search."""
    suggest, close, spent = LedgerSearcher.suggest, Outbox.close, Spent()

    def first_suggest(searcher: LedgerSearcher, trial_id: str) -> Any:
        if not spent.began:
            spent.began, spent.cpu = time.time(), -time.process_time()
        return suggest(searcher, trial_id)

    def last_close(box: Outbox, patience: float) -> str | None:
        trouble = close(box, patience)
        spent.cpu += time.process_time()
        return trouble

    with replaced(LedgerSearcher, "suggest", first_suggest), replaced(Outbox, "close", last_close):
        yield spent


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Make every write to MLflow immediate, so that no reports of a trial are combined."""
    put, bring, written = Outbox.put, mirror.bring, threading.Semaphore(0)

    def put_and_wait(*args: Any, **options: Any) -> None:
        put(*args, **options)
        written.acquire()

    def bring_and_tell(*args: Any, **options: Any) -> TrialRun | None:
        run = bring(*args, **options)
        written.release()
        return run

    with replaced(Outbox, "put", put_and_wait), replaced(mirror, "bring", bring_and_tell):
        yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of a module or class for the time of a ``with`` block, also if that fails."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
