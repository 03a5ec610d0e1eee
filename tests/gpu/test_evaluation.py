"""Evaluation on a GPU: both budgets of probes, retrieval, images without labels, a checkpoint measured."""

import dataclasses
from pathlib import Path

import pytest

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.evaluation.probes import FAST, PAPER, ProbeBudget
from dcodr.evaluation.report import evaluate_encoder
from dcodr.models.encoder import Encoder
from dcodr.training.trained import evaluate as measure
from dcodr.training.trained import load
from dcodr.training.trainer import fit
from tests.gpu.conftest import BRIEF
from tests.gpu.fake import CUDA


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("budget", [FAST, PAPER], ids=["fast", "paper"])
def test_an_encoder_is_measured(budget: ProbeBudget, few: FactorDataset) -> None:
    metrics = evaluate_encoder(Encoder("small", 16).to(CUDA), few, "validation", budget, seed=0).metrics
    assert {"invariance", "informativeness", "effective_rank", "retrieval_recall_at_10/all"} <= set(metrics)


@pytest.mark.usefixtures("gpu")
def test_without_labels_appearance_stands_in(few: FactorDataset) -> None:
    spec = dataclasses.replace(few.spec, attributes=())
    unlabelled = dataclasses.replace(few, spec=spec, attributes={})
    encoder = Encoder("small", 16).to(CUDA)
    metrics = evaluate_encoder(encoder, unlabelled, "validation", BRIEF, seed=0).metrics
    assert "image_informativeness" in metrics


@pytest.mark.usefixtures("gpu", "brief")
def test_a_trained_encoder_is_read_back_and_measured(
    cuda_config: Config, few: FactorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(cuda_config, few, checkpoint=tmp_path / "c.pt")
    monkeypatch.setattr("dcodr.training.trained.FAST", BRIEF)
    encoder = load(tmp_path / "c.pt")
    assert "invariance" in measure(encoder, few, "validation", probe="fast", device="cuda").metrics
    assert {p.device for p in encoder.parameters()} == {CUDA}
