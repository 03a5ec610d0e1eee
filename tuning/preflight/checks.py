"""Checks that find mistakes before a search begins."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console

from dcodr.augmentations.names import canonical
from dcodr.augmentations.views import Augment
from dcodr.config import Config
from dcodr.console import say
from dcodr.data.coverage import trivial_factors
from dcodr.data.dataset import DatasetSpec, FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.remote import open_dataset
from dcodr.data.store import verify_store
from dcodr.errors import UserError
from dcodr.evaluation.appearance import IMAGE_INFORMATIVENESS
from dcodr.evaluation.outside import load_metric
from dcodr.files import is_uri
from dcodr.methods.build import build_method
from dcodr.plugins import is_outside
from dcodr.strict_yaml import did_you_mean
from dcodr.training.batches import build_sampler
from dcodr.words import counted, option
from tuning.cluster.machine import check_memory, cpus_here, lacking
from tuning.driver.notebook import progress
from tuning.preflight.rehearsal import largest
from tuning.sampling.sampler import load_sampler
from tuning.space import Space
from tuning.space.objectives import OF_CLASSES, OF_CODES, OF_NUMBERS
from tuning.space.params import CategoricalParam, SubsetParam
from tuning.space.settings import Resources
from tuning.tracking.file import sqlite_file
from tuning.tracking.store import try_store

WEIGHED = ("method", "encoder.arch", "encoder.weights", "perceptual.backbone", "perceptual.weights")
"""Settings that decide which pretrained weights a trial needs."""


def check(space: Space, address: str | None, console: Console) -> FactorDataset:
    """Return the dataset of a search; refuse a search that could not run.

    The embedded dataset is rendered if it is needed and missing. Resources of a cluster are not checked here.

    Raises:
        UserError: If resources, dataset, weights or settings do not fit together, or the dataset is damaged.
    """
    if address is None:
        _check_resources(space.resources)
    if space.base.dataset == "synthetic" and not is_uri(space.base.data) and not space.base.store.exists():
        _render(space.base.store, console)
    data = open_dataset(space.base)
    _check_metrics(space, data.spec)
    _check_outside(space)
    _check_labels(data, console)
    budget = space.search.epoch_budget
    if budget is not None and budget < space.base.epochs:
        raise UserError(
            f"search.epoch_budget: {counted(budget, 'epoch is', 'epochs are')} not enough for one trial of "
            f"{space.base.epochs}"
        )
    # Samplers and networks are built once, so that their own checks report mistakes before the search begins.
    dearest = space.config(largest(space))
    domain = data.domain[data.indices("train")]
    for method in space.methods:
        build_sampler(dearest.model_copy(update={"method": method}), domain, data.spec.domains)
    for config in _differently_weighed(space):
        build_method(config, data.n_domains, data.image_size, len(domain))
    # The slowest check comes last: it reads the whole dataset.
    with console.status("comparing the dataset with its fingerprint"):
        verify_store(space.base.store)
    return data


def check_storage(folder: Path, named: str = "storage") -> None:
    """Refuse a folder that could not be created or used by a search; leave nothing there.

    The message calls it ``named``.

    Raises:
        UserError: If the folder is a URI, is full, or lacks locks, links or the like; see
            :func:`tuning.cluster.machine.lacking`.
    """
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(folder)):
        raise UserError(
            f"{option(named, folder)}: has to be a folder, not a URI: the ledger is appended to under a "
            "lock, which object stores do not have. On a cluster give a folder that all nodes share (NFS, "
            f"EFS); the dataset ({option('data', 's3://...')}) and MLflow's artifacts may be on S3, see "
            "docs/cluster.md"
        )
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if (why := lacking(nearest)) is not None:
        raise UserError(f"{option(named, folder)}: {why}")


def check_tracking(uri: str) -> str:
    """Return the state of a tracking store in a few words; refuse one that a search could not use.

    Nothing in the store is changed.

    Raises:
        UserError: If the store cannot be reached or opened, within seconds.
    """
    if (file := sqlite_file(uri)) and not file.exists():
        check_storage(file.parent.resolve(), "tracking-uri")
        return "not there yet, will be made"
    return try_store(uri)


def _check_resources(resources: Resources) -> None:
    check_memory()
    cpus, gpus = cpus_here(), torch.cuda.device_count()
    if resources.gpus_per_trial > gpus:
        raise UserError(
            f"resources.gpus_per_trial: a trial asks for {resources.gpus_per_trial:g} GPUs, this machine has "
            f"{gpus}; set it to 0 to train on the CPU, or give the address of a cluster ({option('address')})"
        )
    if resources.cpus_per_trial > cpus:
        raise UserError(
            f"resources.cpus_per_trial: a trial asks for {counted(resources.cpus_per_trial, 'CPU')}, "
            f"this machine has {cpus}"
        )


def _check_metrics(space: Space, spec: DatasetSpec) -> None:
    """Refuse objectives, or an informativeness floor, that are not measured on the dataset."""
    informativeness = "informativeness" if spec.attributes else IMAGE_INFORMATIVENESS
    known = [name for name in OF_CODES if name not in ("informativeness", IMAGE_INFORMATIVENESS)]
    classes = [a.name for a in spec.attributes if a.cardinality]
    numbers = [a.name for a in spec.attributes if not a.cardinality] or ["appearance"] * (not spec.attributes)
    known += [informativeness, *(f"{kind}{name}" for kind in OF_CLASSES for name in classes)]
    known += [f"{kind}all" for kind in OF_CLASSES if classes and kind.startswith("retrieval_")]
    known += [f"{kind}{name}" for kind in OF_NUMBERS for name in numbers]
    known += space.metrics
    for name in space.objectives:
        if name == "informativeness" and name not in known:
            raise UserError(
                f"objectives.informativeness: {spec.name} has no attribute to measure it by: label one, or "
                f"use {IMAGE_INFORMATIVENESS}, which needs no labels, as in search_spaces/no_labels.yaml "
                "(docs/your-data.md)"
            )
        if name not in known:
            raise UserError(f"objectives.{name}: {spec.name} has no such metric{did_you_mean(name, known)}")
    if space.search.informativeness_floor is not None and not spec.attributes:
        raise UserError(
            f"search.informativeness_floor: {spec.name} has no attribute, so informativeness is not "
            "measured: remove it"
        )


def _check_outside(space: Space) -> None:
    """Load the parts from outside that no other check builds: augmentations, metrics, the sampler."""
    augmentations = {*space.base.augmentations}
    for param in space.params.values():
        augmentations |= {*param.members} if isinstance(param, SubsetParam) else set()
    Augment(canonical([*augmentations]))
    for name in space.metrics:
        load_metric(name)
    if is_outside(space.search.sampler):
        load_sampler(space.search.sampler, seed=0)


def _check_labels(data: FactorDataset, console: Console) -> None:
    """Refuse labels that are constant on the validation images; name those that informativeness ignores."""
    trivial = trivial_factors(data, "validation")
    counted = [attribute.name for attribute in data.spec.attributes if not attribute.derived]
    for figure, factors in {"invariance": ["domain"], "informativeness": counted}.items():
        if factors and set(factors) <= set(trivial):
            raise UserError(
                f"{figure} cannot be measured on the validation images of {data.spec.name}: for "
                f"{', '.join(factors)} a constant answer is right for every image; label more images and "
                "prepare the dataset again, or leave these columns out"
            )
    for name in trivial:
        say(
            console,
            f"{name}: a constant answer is right for every validation image, so informativeness does "
            "not count it",
        )


def _render(path: Path, console: Console) -> None:
    with progress(console, "rendering the embedded dataset") as on_progress:
        prepare_synthetic(path, on_progress=on_progress)


def _differently_weighed(space: Space) -> Iterator[Config]:
    """Yield the largest configuration with every choice of pretrained weights that the space has."""
    choices = {
        key: param.choices
        for key, param in space.params.items()
        if key in WEIGHED and isinstance(param, CategoricalParam)
    }
    for chosen in itertools.product(*choices.values()):
        yield space.config(largest(space) | dict(zip(choices, chosen, strict=True)))
