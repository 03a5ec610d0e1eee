"""Versions of packages that metrics depend on, and what a repeated training says of them."""

from pathlib import Path

import pytest
import torch

from dcodr import plugins
from dcodr.config import Config, dump_config
from dcodr.versions import others, versions
from tests.extending import announce
from tests.test_command_line import run


def test_versions_of_an_allowed_package_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").touch()
    announce(tmp_path, "mypackage", {})
    (tmp_path / "mypackage-0.1.dist-info" / "top_level.txt").write_text("mypackage\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    assert "mypackage" not in versions()
    plugins.allow(["mypackage"])
    assert versions()["mypackage"] == "0.1"
    assert versions()["torch"] == torch.__version__.partition("+")[0]


def test_only_versions_that_differ_are_named() -> None:
    recorded = versions()
    assert others(recorded) == []
    assert others(recorded | {"torch": "1.0", "mypackage": "0.1"}) == [
        f"torch 1.0 (here {recorded['torch']})",
        "mypackage 0.1 (here none)",
    ]


def test_a_training_with_other_metrics_than_the_search_names_other_versions(
    tmp_path: Path, tiny_config: Config
) -> None:
    provenance = {
        "search": "augs",
        "trial": 7,
        "dataset_fingerprint": "another",
        "validation": {"invariance": 2.0},
        "versions": versions() | {"torch": "1.0"},
    }
    (tmp_path / "augs-007.yaml").write_text(dump_config(tiny_config, provenance))
    done = run("dcodr", ["train", "--config", "augs-007.yaml", "--out", "out"], tmp_path)
    assert done.code == 0, done
    assert "1 of the 1 validation metrics of augs, trial 007 differ: invariance" in done.out
    assert "The dataset is another one." in done.out
    assert f"Other versions: torch 1.0 (here {versions()['torch']})" in done.out
