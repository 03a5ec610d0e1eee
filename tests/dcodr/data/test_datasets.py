"""The table of the published datasets, against the presets, the paper's tables and the README."""

import re
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from dcodr.config import PRESETS
from dcodr.data.cli import app
from dcodr.data.dataset import DatasetSpec, stratified_split
from dcodr.data.datasets import PUBLISHED, Name
from dcodr.data.sources.synthetic import read_synthetic
from dcodr.data.store import write_store
from dcodr.studies.paper_tables import PAPER_TABLES

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_commands_presets_and_the_readme_have_the_same_datasets() -> None:
    assert get_args(Name) == tuple(PUBLISHED)
    assert {*PUBLISHED, "paper", "synthetic"} == set(PRESETS)
    assert {table.dataset for table in PAPER_TABLES.values()} <= set(PUBLISHED)
    listed = README.split("## The paper's datasets")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", listed, re.MULTILINE) == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_help_of_a_command_says_what_is_read_and_from_which_files(name: Name) -> None:
    dataset = PUBLISHED[name]
    shown = re.sub(r"[\s│]", "", CliRunner().invoke(app, ["prepare", name, "--help"]).output)
    assert re.sub(r"\s", "", dataset.about) in shown
    assert f"Folderof{dataset.raw.split(',')[0].replace(' ', '')}" in shown


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dataset_is_downloaded_or_told_how_to_be_had(name: Name) -> None:
    assert bool(PUBLISHED[name].remotes) != bool(PUBLISHED[name].by_hand)


@pytest.mark.parametrize(
    ("name", "told"), [("cars3d", "4 of 183 (car)"), ("shapes3d", "4 (car)"), ("mine", "4 (car)")]
)
def test_missing_domains_of_a_published_dataset_are_told(tmp_path: Path, name: str, told: str) -> None:
    raw = read_synthetic(40, 0)
    split = stratified_split(raw.domain, 0)
    path = tmp_path / "s.h5"
    write_store(path, DatasetSpec(name, "car", ()), raw.images, raw.domain, {}, split, {})
    assert told in CliRunner().invoke(app, ["info", str(path)]).output
