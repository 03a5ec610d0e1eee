"""Trained encoders, read back and measured as a script would."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import dcodr
from dcodr.cli import app
from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.errors import UserError
from dcodr.evaluation.embed import embed
from dcodr.evaluation.judges import JUDGES
from dcodr.files import CHECKPOINT


class MeanColours(nn.Module):
    """Codes that are the images' mean colours: whatever a probe finds is in the pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))


def test_a_training_is_read_back_and_measured(
    tiny: FactorDataset, tiny_config: Config, tmp_path: Path
) -> None:
    trained = dcodr.fit(tiny_config, tiny, checkpoint=tmp_path / CHECKPOINT)
    encoder = dcodr.load(tmp_path)
    assert not encoder.training
    indices = tiny.indices("test")
    codes = embed(encoder, tiny.images, indices)
    assert torch.equal(codes, embed(trained.method.encoder, tiny.images, indices))
    assert torch.equal(codes, embed(dcodr.load(str(tmp_path / CHECKPOINT)), tiny.images, indices))
    again = dcodr.evaluate(encoder, tiny, "validation", probe="fast", seed=tiny_config.seed, device="cpu")
    assert again == trained.report


def test_the_battery_reports_what_each_probe_reports_alone(tiny: FactorDataset) -> None:
    report, verdicts = dcodr.judge(MeanColours(), tiny, device="cpu")
    assert report == dcodr.evaluate(MeanColours(), tiny, device="cpu")
    fast = dcodr.evaluate(MeanColours(), tiny, probe="fast", device="cpu").metrics
    assert {name: fast[name] for name in verdicts.metrics["fast"]} == verdicts.metrics["fast"]
    assert verdicts.summary["invariance/strongest"] <= report.metrics["invariance"]


def test_the_command_prints_and_writes_the_judges(
    tiny: FactorDataset, tiny_config: Config, tmp_path: Path
) -> None:
    dcodr.fit(tiny_config, tiny, checkpoint=tmp_path / CHECKPOINT)
    command = ["evaluate", str(tmp_path), "--judges", "all"]
    done = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    written = json.loads(done.stdout)
    assert written == json.loads((tmp_path / "test.json").read_text())
    assert set(written["judges"]["metrics"]) == set(JUDGES)
    assert set(written["judges"]["strongest"].values()) <= set(JUDGES)
    worst = min(metrics["invariance"] for metrics in written["judges"]["metrics"].values())
    assert written["metrics"]["invariance/strongest"] == worst
    with pytest.raises(UserError, match="--judges all asks both probes"):
        CliRunner().invoke(app, [*command, "--probe", "fast"], catch_exceptions=False)


def test_images_that_were_prepared_otherwise_are_refused(
    tiny: FactorDataset, tiny_config: Config, tmp_path: Path
) -> None:
    dcodr.fit(tiny_config, tiny, checkpoint=tmp_path / CHECKPOINT)
    encoder = dcodr.load(tmp_path)
    half = replace(tiny, images=np.ascontiguousarray(tiny.images[:, ::2, ::2]))
    padded = replace(tiny, provenance={"fit": "pad"})
    for measure in (dcodr.evaluate, dcodr.judge):
        with pytest.raises(UserError, match=r"has images of 32 pixels, but 64 are needed"):
            measure(encoder, half, device="cpu")
        with pytest.raises(UserError, match=r"was prepared with fit='pad', but .* trained with crop"):
            measure(encoder, padded, device="cpu")


def test_a_report_of_other_data_or_another_probe_replaces_no_usual_one(
    tiny: FactorDataset, tiny_config: Config, tmp_path: Path
) -> None:
    dcodr.fit(tiny_config, tiny, checkpoint=tmp_path / "t" / CHECKPOINT)
    command = ["evaluate", str(tmp_path / "t")]
    CliRunner().invoke(app, command, catch_exceptions=False)
    usual = (tmp_path / "t" / "test.json").read_text()
    prepare_synthetic(tmp_path / "other.h5", n_images=96)
    for more in (["--probe", "fast"], ["--data", str(tmp_path / "other.h5")]):
        CliRunner().invoke(app, [*command, *more], catch_exceptions=False)
    assert (tmp_path / "t" / "test.json").read_text() == usual
    assert {path.name for path in (tmp_path / "t").glob("*.json")} == {
        "test.json",
        "test-synthetic-fast.json",
        "test-synthetic-paper.json",
    }


def test_no_training_is_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint\.pt: no such checkpoint"):
        dcodr.load(tmp_path)


def test_the_split_is_the_one_asked_for(tiny: FactorDataset) -> None:
    validation, test = (
        dcodr.evaluate(MeanColours(), tiny, split, probe="fast", device="cpu").metrics
        for split in ("validation", "test")
    )
    assert validation["domain_accuracy"] != test["domain_accuracy"]
    assert test == dcodr.evaluate(MeanColours(), tiny, probe="fast", device="cpu").metrics


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tiny: FactorDataset) -> None:
    with pytest.raises(UserError, match="no usable GPU"):
        dcodr.evaluate(MeanColours(), tiny, device="cuda")
