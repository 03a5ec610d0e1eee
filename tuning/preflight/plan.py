"""``tune.py --dry-run``: the plan of a search, its duration and its needs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dcodr.config import Config, override
from dcodr.console import say
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.errors import UserError
from dcodr.files import file_system
from dcodr.words import counted
from tuning.cluster.machine import cpus_here, memory_here
from tuning.cluster.nodes import check_cluster
from tuning.driver.scheduler import scheduler_of
from tuning.driver.warm_start import first_trials
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import FirstTrial, TrialRecord
from tuning.preflight.checks import check, check_storage, check_tracking
from tuning.preflight.estimate import Training, ends, search_seconds
from tuning.preflight.progress import forecast
from tuning.preflight.reference import with_constant_answers
from tuning.preflight.rehearsal import Timing, cost_depends, largest, rehearse, timed_encoders
from tuning.report.tables import settings_table
from tuning.report.terminal import print_table
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space
from tuning.space.size import describe_size, n_configurations
from tuning.tracking.store import default_uri, masked

SHOWN = 5
"""Number of configurations that are shown."""


def show_plan(
    space: Space, *, address: str | None, storage: Path, tracking_uri: str | None, console: Console
) -> None:
    """Check everything that a search needs, print its plan, and estimate its time and memory.

    Only the embedded dataset, which is rendered if it is missing, and on several nodes the storage folder
    remain afterwards.

    The arguments are those of :func:`tuning.run.run_search`.

    Raises:
        UserError: If the search could not run.
    """
    check_storage(storage)
    storage = storage.resolve()
    data = check(space, address, console)
    space = with_constant_answers(space, data)
    first = first_trials(space)
    uri = tracking_uri or default_uri(storage)
    with console.status("trying the MLflow tracking store"):
        tracking = check_tracking(uri)
    plan = {
        **_what(space, data),
        "Storage": f"{storage}, can be written to, {file_system(storage)[1] / 2**30:,.1f} GiB free",
        "Tracking": f"{masked(uri)}, {tracking}",
    }
    _print(plan, console)
    _print_first(space, first, console)
    places = check_cluster(space, address, storage, data.fingerprint, console)
    _print(_cost(space, places, console), console)


def duration(seconds: float) -> str:
    """Format a duration with about two digits, e.g. ``33 ms``, ``4.2 s``, ``2.5 h``."""
    units = {"days": 86400, "h": 3600, "min": 60, "s": 1}
    unit, size = next(((unit, size) for unit, size in units.items() if seconds >= size), ("ms", 0.001))
    value = seconds / size
    return f"{value:,.0f} {unit}" if round(value, 1) >= 10 else f"{value:.1f} {unit}"


def _what(space: Space, data: FactorDataset) -> dict[str, str]:
    """Return the plan's lines about dataset, training, space and search."""
    config, search = space.config(largest(space)), space.search
    sizes = ", ".join(f"{len(data.indices(split)):,} {split}" for split in SPLITS)
    plan = {
        "Dataset": f"{data.spec.name}, {counted(len(data.images), 'image')} ({sizes}), "
        f"{counted(data.n_domains, 'domain')}",
        "Store": str(space.base.store),
        "Training": f"{config.method}, {counted(config.epochs, 'epoch')}, evaluated every "
        f"{config.evaluate_every}, {config.precision} on the {config.device}",
        "Space": describe_size(space.params),
        "Objectives": ", ".join(_objective(space, name) for name in space.objectives),
        "Search": f"{counted(search.trials, 'trial')}, sampler {search.sampler}, seed {search.seed}, "
        f"{_stopping(space)}",
    }
    limits = {
        "epochs in all": search.epoch_budget,
        "seconds": search.time_budget,
        "hypervolume": search.target_hypervolume,
        "trials without progress": search.stall and search.stall.trials,
    }
    given = [f"{limit:g} {what}" for what, limit in limits.items() if limit is not None]
    if given:
        plan["Ends early"] = "at " + ", or ".join(given)
    return plan


def _objective(space: Space, name: str) -> str:
    """Return an objective, with its reference if that depends on the labels or comes from outside."""
    answer = space.constant_answers.get(name)
    known = "" if answer is None else f" (from {answer:.4g}, its reference)"
    return f"{space.objectives[name]} {name}{known}"


def _stopping(space: Space) -> str:
    scheduler = space.search.scheduler
    if scheduler is None:
        return "none stopped early"
    return (
        f"stopped early from epoch {scheduler.grace_period} on; "
        f"one in {scheduler.reduction_factor:g} continues"
    )


def _print_first(space: Space, first: list[FirstTrial], console: Console) -> None:
    records = rehearsed(space, first)
    names = [(f"{record.number:03d}\n{record.origin or 'drawn'}",) for record in records]
    console.print()
    print_table(settings_table("First configurations", ("trial",), names, records), console)
    more, random = len(first) - len(records), max(len(first), space.search.startup)
    if more > 0:
        say(console, f"and {more} more first trials")
    if random < len(records) and space.search.sampler != "random":
        say(console, f"From trial {random:03d} on, the sampler uses earlier results.")
    console.print()


def rehearsed(space: Space, first: list[FirstTrial]) -> list[TrialRecord]:
    """Return the first trials of a search, as the search begins them before it has results."""
    ledger = Ledger.create(None, space, {}, first)
    ledger.ready(SpaceSampler)
    queue = Queue(ledger)
    begun = [queue.begin() for _ in range(min(SHOWN, space.search.trials))]
    numbers = {trial.number for trial in begun if trial is not None}
    return [record for record in ledger.records() if record.number in numbers]


def _cost(space: Space, places: int | None, console: Console) -> dict[str, str]:
    """Return the plan's lines about time and memory, with the trials that a cluster trains at a time."""
    config = space.config(largest(space))
    plan, at_once = _at_once(space, places)
    if config.device == "cuda" and not torch.cuda.is_available():
        return plan | {"Time": "not measured, nor memory: this machine has no GPU"}
    copies = _sharing(space, at_once, places is None)
    timings: dict[str, Timing] = {}
    for arch in timed_encoders(space):
        with console.status(f"timing steps of the largest configuration, {arch}, {copies} at a time"):
            one = override(config, {"encoder": {"arch": arch}}, lambda _, text: UserError(text))
            timings[arch] = rehearse(one, copies, space.resources.gpus_per_trial)
    slowest = max(timings.values(), key=lambda timing: timing.step)
    timing = replace(slowest, memory=max(timing.memory for timing in timings.values()))
    plan["Encoder"] = "\n".join(_encoder(arch, timing) for arch, timing in timings.items())
    plan |= _timed(config, timing, copies)
    if cost_depends(space):
        plan["Largest"] = "the most expensive configuration of the space was timed; others take less"
    return plan | _estimated(space, config, timing, at_once)


def _at_once(space: Space, places: int | None) -> tuple[dict[str, str], int]:
    """Return a line about the number of trials at a time, and that number."""
    resources = space.resources
    each = counted(resources.cpus_per_trial, "CPU")
    each += f" and {resources.gpus_per_trial:g} GPU" * (resources.gpus_per_trial > 0)
    if places is not None:
        fit = min(places, space.search.trials)
        return {"At a time": f"{counted(fit, 'trial')} of {each}; the cluster has room for {places}"}, fit
    cpus, gpus = cpus_here(), torch.cuda.device_count()
    fit = min(resources.concurrent(cpus, gpus), space.search.trials)
    here = f"{counted(cpus, 'CPU')} and {counted(gpus, 'GPU')}"
    return {"At a time": f"{counted(fit, 'trial')} of {each}; this machine has {here}"}, fit


def _sharing(space: Space, at_once: int, here: bool) -> int:
    """Return how many trials are timed together: those that share this machine, or one of its GPUs."""
    share = space.resources.gpus_per_trial
    if not share:
        return at_once if here else 1
    fit = space.resources.concurrent(cpus_here(), 1)
    return max(1, min(fit, at_once))


def _encoder(arch: str, timing: Timing) -> str:
    return f"{arch}: {timing.parameters / 1e6:.3g} million parameters, {duration(timing.step)} a step"


def _timed(config: Config, timing: Timing, copies: int) -> dict[str, str]:
    size = f"{counted(config.batch.n_domains, 'domain')} x {counted(config.batch.n_per_domain, 'image')}"
    kind = "on the GPU" if config.device == "cuda" else "resident, pages shared with other trials included"
    needed, there = copies * timing.memory, memory_here()
    plan = {
        "Step": f"{duration(timing.step)} for {size}, {counted(timing.steps, 'step')} an epoch "
        f"({timing.timed} timed, {counted(copies, 'trial')} at a time)",
        "Evaluation": duration(timing.evaluation),
        "Memory": f"{timing.memory / 2**20:,.0f} MiB a trial at its peak ({kind}); "
        f"{counted(copies, 'trial')} at most {needed / 2**30:.1f} GiB",
    }
    if config.device != "cuda" and needed > there:
        plan["Too much"] = (
            f"this process may use {there / 2**30:.1f} GiB of memory: trials may be killed; lower "
            "resources.max_concurrent, batch sizes or networks"
        )
    return plan


def _estimated(space: Space, config: Config, timing: Timing, at_once: int) -> dict[str, str]:
    """Return the time of the search and of its confirmations."""
    training = Training(
        step=timing.step,
        steps=timing.steps,
        evaluation=timing.evaluation,
        epochs=config.epochs,
        evaluate_every=config.evaluate_every,
    )
    search, whole = space.search, training.seconds(config.epochs)
    size = n_configurations(space.params)
    trials = search.trials if size is None else min(search.trials, size)

    def seconds(factor: float, time_budget: float | None = search.time_budget) -> float:
        return search_seconds(
            training,
            ends(training, _brackets(space, config), factor),
            trials=trials,
            at_once=at_once,
            never_stopped=int(search.warm_start.paper),
            epoch_budget=search.epoch_budget,
            time_budget=time_budget,
        )

    each = f"{counted(trials, 'trial')} of {duration(whole)}, {at_once} at a time"
    plan = {"Time": f"about {duration(seconds(1))}: {each}"}
    if search.scheduler is not None:
        other = "other " if search.warm_start.paper else ""
        plan["Time"] = (
            f"about {duration(seconds(search.scheduler.reduction_factor))}, from "
            f"{duration(seconds(math.inf))} if every {other}trial is stopped at its first rung to "
            f"{duration(seconds(1))} if none is: {each}"
        )
        # The recorded searches look for the whole front.
        if search.sampler == "gp" and search.aim == "front":
            factor = search.scheduler.reduction_factor
            shares = ends(training, _brackets(space, config), factor)
            epochs = trials * sum(epoch * share for epoch, share in shares.items())
            epochs = min(epochs, search.epoch_budget or epochs) * seconds(factor) / seconds(factor, None)
            plan["Progress"] = forecast(at_once, config.epochs, epochs / config.epochs)
    if search.confirm is not None:
        n = min(search.confirm.top + search.warm_start.paper, trials) * search.confirm.seeds
        # A confirmation is evaluated once, at its end.
        once = replace(training, evaluate_every=config.epochs)
        extra = math.ceil(n / at_once) * once.seconds(config.epochs)
        plan["Confirmation"] = f"about {duration(extra)} more for {counted(n, 'training')}"
    return plan | {
        "Not counted": "the start of Ray, MLflow and the trials' processes, some seconds; at the end the "
        "test metrics of the best trade-off and of the paper's settings, under the paper's probe"
    }


def _brackets(space: Space, config: Config) -> list[list[float]]:
    """Return the epochs of the rungs of each bracket."""
    scheduler = scheduler_of(space, config.epochs)
    return [list(bracket) for bracket in scheduler.rungs] if scheduler else [[]]


def _print(plan: Mapping[str, str], console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=12)
    grid.add_column()
    for name, text in plan.items():
        grid.add_row(Text(name), Text(text))
    console.print(grid)
