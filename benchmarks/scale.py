"""Measure the cost of a search for its driver, and its growth with the number of trials.

    python -m benchmarks.scale --trials 100 1000 10000
    python -m benchmarks.scale --trials 100 1000 --ray

Searches ``augs.yaml`` with trials that only report, so that the driver uses all the time. Without ``--ray``,
searcher, ledger, scheduler, recorder, MLflow (an SQLite file) and display are called as Tune would call them,
in one process. With ``--ray``, Ray Tune itself calls them, through ``tuning.run.run_search``. Every search
runs in a separate process.
"""

import argparse
import functools
import io
import itertools
import logging
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray import cloudpickle, tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from rich.console import Console
from rich.table import Table

from dcodr.config import Config
from dcodr.data.prepare import prepare_synthetic
from tuning import run
from tuning.driver import stages
from tuning.driver.display import Display
from tuning.driver.protocol import Assignment, TrialReport
from tuning.driver.recorder import Recorder
from tuning.driver.scheduler import ParetoASHA, scheduler_of
from tuning.driver.searcher import LedgerSearcher
from tuning.driver.warm_start import first_trials
from tuning.ledger.encoding import suggest
from tuning.ledger.ledger import Ledger
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space
from tuning.tracking import mirror
from tuning.tracking.outbox import Outbox
from tuning.tracking.store import default_uri
from tuning.tracking.tracker import Tracker

SPACE = Path(__file__).parents[1] / "search_spaces" / "augs.yaml"
WORKERS = 8
"""Number of concurrent trials without Ray."""
IMAGES = 400
"""Number of images of the dataset that a search with Ray checks before it begins."""

PARTS: Mapping[str, tuple[Any, Sequence[str]]] = {
    "draws": (LedgerSearcher, ["suggest"]),
    "ledger, written": (Ledger, ["note", "end"]),
    "ledger, read": (Ledger, ["record", "records"]),
    "scheduler": (ParetoASHA, ["on_trial_result", "on_trial_complete"]),
    "MLflow": (mirror, ["bring"]),
    "display": (Display, ["trial_started", "trial_epoch", "trial_ended"]),
    "opening": (Tracker, ["__init__", "start_search"]),
    "exports and summary": (run, ["finish", "print_summary"]),
}
"""Parts of the driver's time, by method; the rest belongs to Ray and the benchmark itself."""
PROPOSALS = 10
"""Number of proposals of the Gaussian process that are timed after a search."""


@dataclass(frozen=True)
class Cost:
    """Cost of a search.

    Attributes:
        trials: Number of trials.
        reports: Number of reports of all trials.
        cpu: CPU seconds of the driver from the first trial to the summary, all threads.
        wall: Seconds of the same.
        parts: CPU seconds of each of ``PARTS``.
        mlflow_wall: Seconds that MLflow's writes took.
        proposal: CPU seconds of another proposal of the Gaussian process.
        memory: Largest resident memory of the driver, MB.
        ledger: Size of the ledger, MB.
    """

    trials: int
    reports: int
    cpu: float
    wall: float
    parts: dict[str, float]
    mlflow_wall: float
    proposal: float
    memory: float
    ledger: float


class Clock:
    """CPU time of the parts, each without the parts that it calls; all threads count."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._inner = threading.local()

    def timed(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a method so that its time is added to a part."""

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            # Time in parts that this part calls is counted there, not here. Each thread has its own nesting.
            outside = getattr(self._inner, "spent", 0.0)
            self._inner.spent = 0.0
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent = time.thread_time() - cpu
                self.cpu[part] += spent - self._inner.spent
                self.wall[part] += time.perf_counter() - wall
                self.calls[f"{part}.{method.__name__}"] += 1
                self._inner.spent = outside + spent

        return call


@contextmanager
def clocked() -> Iterator[Clock]:
    """Time all parts temporarily."""
    clock = Clock()
    before = {(owner, name): getattr(owner, name) for owner, names in PARTS.values() for name in names}
    for part, (owner, names) in PARTS.items():
        for name in names:
            setattr(owner, name, clock.timed(part, before[owner, name]))
    try:
        yield clock
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def reports(assignment: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the reports of a trial by epoch, in which temperature and crop trade one objective for the other.

    There are as many losses, metrics and intervals as in a training on the embedded dataset.
    """
    given = Assignment.from_dict(assignment)
    config = Config.model_validate_json(given.config)
    rng = np.random.default_rng(given.number)
    warmth = float(np.log10(config.temperature / 0.05))
    crop = "crop" in config.augmentations
    for epoch in range(1, config.epochs + 1):
        noise = rng.normal(0, 0.03, 14)
        learned = 1 - 0.5**epoch
        metrics = {f"figure/{i}": float(0.5 + noise[i]) for i in range(2, 14)}
        metrics["invariance"] = float(np.clip(learned * (0.9 * warmth + 0.1 * crop) + noise[0], 0, 1))
        metrics["informativeness"] = float(np.clip(learned * (0.9 - 0.7 * warmth) + noise[1], 0, 1))
        losses = {f"train/{name}": float(abs(noise[0])) for name in ("total", "pixel", "contrastive")}
        yield TrialReport(
            epoch=epoch,
            training=losses | {"images_per_second": 1000.0},
            metrics=metrics,
            intervals={name: (value - 0.05, value + 0.05) for name, value in metrics.items()},
        ).to_dict()


def only_report(assignment: dict[str, Any]) -> None:
    """Run a trial without training, for Ray."""
    for report in reports(assignment):
        tune.report(report)


def space_of(trials: int, sampler: str, epochs: int, data: Path) -> Space:
    """Load ``augs.yaml`` with the given numbers of trials and epochs, without confirmations."""
    space = load_space(SPACE, data=str(data), search={"trials": trials, "sampler": sampler, "confirm": None})
    return space.model_copy(update={"base": space.base.model_copy(update={"epochs": epochs})})


def drive(space: Space, folder: Path, console: Console, gather: float = 1.0) -> Search:
    """Run a search without Ray: ``WORKERS`` concurrent trials that report in turn.

    Args:
        space: The search space.
        folder: Folder of the search.
        console: Console for the display and the summary.
        gather: Seconds in which reports are gathered for MLflow.
    """
    tracker = Tracker(default_uri(folder))
    (folder / "search").mkdir()
    with driving(folder / "search"):
        search = run.begin(folder / "search", space, "", tracker, first_trials(space))
        queue = Queue(search.ledger)
        outbox = Outbox(tracker, search, print, gather)
        recorder, scheduler = new_recorder(search, queue, outbox, console), scheduler_of(space)
        searcher = LedgerSearcher(queue, space, queue.over, search.folder)
        with Display(space.search.trials, space.objectives, space.reference, console=console):
            take_turns(searcher, recorder, scheduler)
        search.ledger.remember("ended", queue.over())
        run.finish(search, tracker, outbox, console, run.PATIENCE)
    run.print_summary(search.results(), console)  # type: ignore[attr-defined]
    return search


def new_recorder(search: Search, queue: Queue, outbox: Outbox, console: Console) -> Recorder:
    """Make the recorder of a search."""
    display = Display(
        search.space.search.trials, search.space.objectives, search.space.reference, console=console
    )
    return Recorder(search, queue, outbox, display)


def take_turns(searcher: LedgerSearcher, recorder: Recorder, scheduler: ParetoASHA | None) -> None:
    """Begin, report and end trials, with the calls of Tune, until no trial is left."""
    running: list[tuple[Any, Iterator[dict[str, Any]]]] = []
    over = False
    for turn in itertools.count():
        while not over and len(running) < WORKERS:
            assignment = searcher.suggest(str(turn))
            over = assignment == Searcher.FINISHED
            if over or assignment is None:
                break
            trial = SimpleNamespace(config=assignment, last_result=None)
            recorder.on_trial_start(turn, [], trial)  # type: ignore[arg-type]
            running.append((trial, reports(assignment)))
        if not running:
            return
        trial, left = running.pop(0)
        result = next(left, None)
        if result is not None:
            trial.last_result = result
            goes_on = (
                scheduler is None or scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE
            )
            recorder.on_trial_result(turn, [], trial, result)
            if goes_on:
                running.append((trial, left))
                continue
        if scheduler is not None:
            scheduler.on_trial_complete(None, trial, trial.last_result)
        recorder.on_trial_complete(turn, [], trial)


def with_ray(space: Space, folder: Path, console: Console) -> Search:
    """Run the same search through Ray Tune, on this machine."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]
    stages.train_trial = only_report  # type: ignore[attr-defined]
    return run.run_search(space, storage=folder, console=console)


def measure(trials: int, sampler: str, epochs: int, ray: bool) -> Cost:
    """Run one search and measure its cost for this process."""
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="scale-") as name, clocked() as clock:
        folder = Path(name)
        data = folder / "data.h5"
        if ray:
            prepare_synthetic(data, IMAGES)
        space = space_of(trials, sampler, epochs, data)
        console = Console(file=Progress(trials), width=100)
        cpu, wall = time.process_time(), time.perf_counter()
        search = (with_ray if ray else drive)(space, folder, console)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (search.folder / LEDGER).stat().st_size / 2**20
        return Cost(
            trials=trials,
            reports=clock.calls["scheduler.on_trial_result"],
            cpu=cpu,
            wall=wall,
            parts={part: clock.cpu[part] for part in PARTS},
            mlflow_wall=clock.wall["MLflow"],
            proposal=proposal(search),
            memory=memory,
            ledger=size,
        )


def proposal(search: Search) -> float:
    """Measure CPU seconds of a proposal of the Gaussian process that knows all trials of a search."""
    settings = search.space.search.model_copy(update={"sampler": "gp"})
    study, space = search.ledger.study, search.space.model_copy(update={"search": settings})
    study.sampler = SpaceSampler(space, seed=0)
    suggest(study.ask(), space.params)  # the first proposal reads all trials and fits the processes
    began = time.process_time()
    for _ in range(PROPOSALS):
        suggest(study.ask(), space.params)
    return (time.process_time() - began) / PROPOSALS


class Progress(io.StringIO):
    """Output of a search, discarded except for ten lines of progress on standard error."""

    def __init__(self, trials: int) -> None:
        super().__init__()
        self._every = max(1, trials // 10)
        self._trials = trials
        self._done = 0

    def write(self, text: str) -> int:
        """Count the trials that have ended."""
        ended = text.count(" | front ")
        if (self._done + ended) // self._every > self._done // self._every:
            print(f"{self._done + ended} of {self._trials} trials", file=sys.stderr, flush=True)
        self._done += ended
        return len(text)


def exponent(sizes: Sequence[int], totals: Sequence[float]) -> str:
    """Return the exponent k of a total's growth with the number of trials."""
    if len(sizes) < 2 or min(totals) <= 0:
        return ""
    return f"{np.polyfit(np.log(sizes), np.log(totals), 1)[0]:.2f}"


def table(costs: Sequence[Cost]) -> Table:
    """Make a table of measures by search, with each total's growth with the number of trials."""
    sizes = [cost.trials for cost in costs]
    result = Table("", *(f"{size:,} trials" for size in sizes), "grows as trials^")

    def row(name: str, total: Callable[[Cost], float], per: Callable[[Cost], float], form: str) -> None:
        totals = [total(cost) for cost in costs]
        cells = [form.format(all_ / per(cost)) for all_, cost in zip(totals, costs, strict=True)]
        result.add_row(name, *cells, exponent(sizes, totals))

    each, ms = (lambda cost: cost.trials / 1000), "{:.2f}"
    row("driver, CPU ms a trial", lambda cost: cost.cpu, each, ms)
    row("driver, CPU ms a report", lambda cost: cost.cpu, lambda cost: cost.reports / 1000, ms)
    for part in PARTS:
        row(f"  {part}, CPU ms a trial", functools.partial(part_of, part), each, ms)
    row("  rest, CPU ms a trial", lambda cost: cost.cpu - sum(cost.parts.values()), each, ms)
    row("one more GP proposal, CPU ms", lambda cost: cost.proposal, lambda cost: 1 / 1000, "{:.0f}")
    row("MLflow writes, ms a trial", lambda cost: cost.mlflow_wall, each, ms)
    row("whole search, s", lambda cost: cost.wall, lambda cost: 1, "{:.1f}")
    row("driver's memory, MB", lambda cost: cost.memory, lambda cost: 1, "{:.0f}")
    row("ledger, MB", lambda cost: cost.ledger, lambda cost: 1, "{:.2f}")
    return result


def part_of(part: str, cost: Cost) -> float:
    """Return the CPU seconds of a part."""
    return cost.parts[part]


def main() -> None:
    """Measure searches of several sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000], help="sizes of the searches")
    parser.add_argument("--epochs", type=int, default=4, help="reports of a trial that is not stopped")
    parser.add_argument("--sampler", default="gp", choices=("gp", "tpe", "nsga2", "random"))
    parser.add_argument("--ray", action="store_true", help="through Ray Tune")
    options = parser.parse_args()
    from benchmarks.scale import measure as measure_by_name  # not as __main__, which Ray's workers have too

    costs = []
    for trials in options.trials:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            asked = (trials, options.sampler, options.epochs, options.ray)
            costs.append(pool.submit(measure_by_name, *asked).result())
    Console(width=None if sys.stdout.isatty() else 120).print(table(costs))


if __name__ == "__main__":
    main()
