"""Everything that can be known to be wrong before a search begins."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from dcodr.data.dataset import DatasetSpec, FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.methods import build_method
from dcodr.sampler import DomainBatchSampler
from dcodr.strict_yaml import did_you_mean
from tuning.space import Resources, Space


def check(space: Space, address: str | None, console: Console) -> FactorDataset:
    """Refuse a search that could not run; render the embedded dataset if it is asked for and not there yet.

    Args:
        space: The search.
        address: The Ray cluster, if it is not this machine alone: what its nodes have is not known here.
        console: Where to show progress.

    Returns:
        The dataset.

    Raises:
        UserError: If resources, dataset, weights or settings do not fit together.
    """
    if address is None:
        _check_resources(space.resources)
    if space.base.dataset == "synthetic" and not space.base.store.exists():
        _render(space.base.store, console)
    data = open_store(space.base.store)
    _check_objectives(space.objectives, data.spec)
    first = space.config(space.paper_values())
    domain = data.domain[data.indices("train")]
    DomainBatchSampler(domain, first.batch.n_domains, first.batch.n_per_domain, first.seed)
    build_method(first, data.n_domains, data.image_size)
    return data


def concurrent(resources: Resources, cpus: float, gpus: float) -> int:
    """How many trials run at a time on so many CPUs and GPUs."""
    fit, share = int(cpus // resources.cpus_per_trial), resources.gpus_per_trial
    if share:
        fit = min(fit, int(gpus // share) if share >= 1 else int(gpus) * int(1 / share))
    return min(fit, resources.max_concurrent or fit)


def cpus_here() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_resources(resources: Resources) -> None:
    cpus, gpus = cpus_here(), torch.cuda.device_count()
    if resources.gpus_per_trial > gpus:
        raise UserError(
            f"resources.gpus_per_trial: a trial asks for {resources.gpus_per_trial:g} GPUs, this machine has "
            f"{gpus}; set it to 0 to train on the CPU, or give --address of a cluster"
        )
    if resources.cpus_per_trial > cpus:
        raise UserError(
            f"resources.cpus_per_trial: a trial asks for {resources.cpus_per_trial} CPUs, this machine has "
            f"{cpus}"
        )


def _check_objectives(objectives: Iterable[str], spec: DatasetSpec) -> None:
    if not spec.attributes:
        raise UserError(
            f"{spec.name} has no attribute, so that informativeness cannot be measured: label one"
        )
    accuracies = [f"{'accuracy' if a.cardinality else 'error'}/{a.name}" for a in spec.attributes]
    known = ["invariance", "informativeness", "domain_accuracy", *accuracies]
    for name in objectives:
        if name not in known:
            raise UserError(f"objectives.{name}: {spec.name} has no such figure{did_you_mean(name, known)}")


def _render(path: Path, console: Console) -> None:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("rendering the embedded dataset", total=None)
        prepare_synthetic(
            path, on_progress=lambda done, total: progress.update(task, completed=done, total=total)
        )


def show_plan(space: Space, address: str | None, console: Console) -> None:
    """Check a search and say what it would do.

    Raises:
        UserError: If it could not run.
    """
    data = check(space, address, console)
    first = space.config(space.paper_values())
    lines = [
        f"Dataset {data.spec.name}: {len(data.images)} images, {data.n_domains} domains, {space.base.store}",
        f"Method {first.method}, encoder {first.encoder.arch}, {first.epochs} epochs a trial",
        f"Searched: {', '.join(space.params)}",
        f"Objectives: {', '.join(f'{way} {name}' for name, way in space.objectives.items())}",
        f"Trials: {space.search.trials}, sampler {space.search.sampler}, seed {space.search.seed}",
    ]
    if address is None:
        at_once = concurrent(space.resources, cpus_here(), torch.cuda.device_count())
        lines.append(f"At a time: {at_once} trials of {space.resources.cpus_per_trial} CPUs each")
    lines.append(f"First trial, the paper's settings: {space.paper_values()}")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
