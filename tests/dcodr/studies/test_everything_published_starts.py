"""Every preset and every table starts on data with the true number of domains and classes of its dataset.

CelebA has 40 people here; its batches alone are drawn from as many people as there are.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import typer

from dcodr.config import PRESETS, Config, EncoderConfig, GeneratorConfig, PerceptualConfig, paper_settings
from dcodr.config.methods import MethodName
from dcodr.data.dataset import Attribute, DatasetSpec, stratified_split
from dcodr.data.sources.cars3d import CARS3D
from dcodr.data.sources.celeba import CELEBA
from dcodr.data.sources.shapes3d import SHAPES3D
from dcodr.data.sources.smallnorb import SMALLNORB
from dcodr.data.store import open_store, write_store
from dcodr.evaluation.probes import FAST, PAPER
from dcodr.methods.build import shuffles
from dcodr.studies import reproduce as one_training
from dcodr.studies.paper_tables import METHODS, PAPER_TABLES
from dcodr.studies.reproduce_cli import reproduce
from dcodr.training import trainer
from dcodr.training.batches import build_sampler

EDGES2SHOES = DatasetSpec("edges2shoes", "kind", (Attribute("shoe_type", 4), Attribute("gender", 5)))

# Domains, and images of each: few, but as many as the preset's batch needs. The people of CelebA have between
# 26 and 35, so that 20 to 28 are for training.
TRUE: dict[str, tuple[DatasetSpec, list[int]]] = {
    "cars3d": (CARS3D, [40] * 183),
    "smallnorb": (SMALLNORB, [40] * 50),
    "shapes3d": (SHAPES3D, [48] * 4),
    "celeba": (CELEBA, [26 + person % 10 for person in range(40)]),
    "edges2shoes": (EDGES2SHOES, [96] * 2),
}
TABULATED = {table.dataset for table in PAPER_TABLES.values()}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a store for each dataset, every image of one random colour."""
    folder, rng = tmp_path_factory.mktemp("true"), np.random.default_rng(0)
    for name, (spec, sizes) in TRUE.items():
        domain = np.repeat(np.arange(len(sizes)), sizes)
        labels = {
            attribute.name: rng.integers(attribute.cardinality, size=len(domain))
            if attribute.cardinality
            else rng.random((len(domain), 10))
            for attribute in spec.attributes
        }
        colours = rng.integers(256, size=(len(domain), 1, 1, 3), dtype=np.uint8)
        images = np.tile(colours, (1, 16, 16, 1))
        write_store(folder / f"{name}.h5", spec, images, domain, labels, stratified_split(domain, 0), {})
    return folder


def small(config: Config) -> Config:
    """Return the same training with networks of no size; batches, rates and schedules stay."""
    networks = {
        "encoder": EncoderConfig(arch="small", code_dim=8),
        "generator": GeneratorConfig(channels=8, domain_dim=8),
        "perceptual": PerceptualConfig(backbone="pixel"),
    }
    return config.model_copy(update={**networks, "epochs": 1, "device": "cpu"})


class StartedError(Exception):
    """A step of training is done."""


def stop(done: int, total: int) -> None:
    raise StartedError


@pytest.mark.parametrize("method", get_args(MethodName))
@pytest.mark.parametrize("dataset", sorted({*TRUE} - TABULATED))
def test_every_preset_without_a_table_starts(stores: Path, dataset: str, method: MethodName) -> None:
    data = open_store(stores / f"{dataset}.h5")
    assert (data.n_domains, data.spec.name) == (len(TRUE[dataset][1]), dataset)
    config = paper_settings.paper_config(method, dataset)
    with pytest.raises(StartedError):
        trainer.fit(small(config), data, on_step=stop)


def test_batches_of_celeba_are_drawn_from_thousands_of_people() -> None:
    """Of the 10,177 people, about 6,000 have 20 to 28 training images."""
    people = np.repeat(np.arange(6_000), 20 + np.arange(6_000) % 9)
    for method in get_args(MethodName):
        config = paper_settings.paper_config(method, "celeba")
        sampler = build_sampler(config, people)
        batch = next(iter(sampler))
        assert len(sampler) * len(batch) > 0.9 * len(people)
        if not shuffles(method):
            _, sizes = np.unique(people[batch], return_counts=True)
            assert sizes.tolist() == [20] * 6


def test_every_preset_is_tested() -> None:
    assert set(PRESETS) == {*TRUE, "paper", "synthetic"}
    assert PRESETS["synthetic"].batch == PRESETS["paper"].batch == PRESETS["shapes3d"].batch


@pytest.mark.parametrize("dataset", sorted(TABULATED))
def test_every_table_is_filled(
    stores: Path, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_paper = paper_settings.paper_config
    monkeypatch.setattr(paper_settings, "paper_config", lambda *named: small(of_paper(*named)))
    monkeypatch.setattr(one_training, "PAPER", replace(PAPER, epochs=1))
    monkeypatch.setattr(trainer, "FAST", replace(FAST, epochs=1))
    for number, table in PAPER_TABLES.items():
        if table.dataset == dataset:
            with pytest.raises(typer.Exit) as ended:
                reproduce(table=number, data=stores, out=tmp_path)
            assert ended.value.exit_code == 0
            with (tmp_path / f"table{number}.csv").open() as file:
                rows = list(csv.DictReader(file))
            assert {row["system"] for row in rows if row["measured"]} == set(METHODS)
            assert all(row["measured"] for row in rows)
