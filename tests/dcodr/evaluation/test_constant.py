"""The figures of constant answers, known from labels alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcodr.data.dataset import Attribute, DatasetSpec, FactorDataset, Split
from dcodr.evaluation.constant import uninformed_figures
from dcodr.evaluation.probes import ProbeBudget
from dcodr.evaluation.report import evaluate_encoder

BUDGET = ProbeBudget(
    layers=2, hidden=8, epochs=1, batch_size=64, learning_rate=1e-2, one_cycle=True, patience=1
)


@pytest.fixture(scope="module")
def data() -> FactorDataset:
    """Labels of a domain, a pose and landmarks in pixels; the images are noise."""
    rng = np.random.default_rng(0)
    n = 201
    return FactorDataset(
        spec=DatasetSpec("d", "object", (Attribute("pose", 6), Attribute("landmarks", None))),
        images=rng.integers(256, size=(n, 4, 4, 3), dtype=np.uint8),
        domain=rng.integers(3, size=n),
        attributes={
            "pose": rng.integers(6, size=n),
            "landmarks": rng.normal(100, 30, (n, 4)).astype(np.float32),
        },
        split=np.repeat(np.arange(3, dtype=np.uint8), [120, 41, 40]),
        fingerprint="0" * 64,
    )


class Pixels(nn.Module):
    """Encodes an image as its pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_they_are_the_very_figures_of_an_evaluation(data: FactorDataset, split: Split) -> None:
    device = torch.device("cpu")
    measured = evaluate_encoder(
        Pixels(), data, split, BUDGET, seed=0, device=device, resamples=2, retrieval=False
    )
    expected = {
        name: measured.figures[name] for name in ("chance/domain", "chance/pose", "error_of_median/landmarks")
    }
    assert uninformed_figures(data, split) == expected


def test_by_hand() -> None:
    labels = {
        "pose": np.array([2, 2, 0, 2, 0, 2, 0, 1]),
        "landmarks": np.array([[0, 10], [4, 10], [8, 70], [4, 30], [6, 10], [0, 14], [0, 0], [0, 0]], "f4"),
    }
    data = FactorDataset(
        spec=DatasetSpec("d", "object", (Attribute("pose", 3), Attribute("landmarks", None))),
        images=np.zeros((8, 2, 2, 3), np.uint8),
        domain=np.array([0, 1, 1, 0, 1, 1, 0, 0]),
        attributes=labels,
        split=np.array([0, 0, 0, 1, 1, 1, 2, 2], np.uint8),
        fingerprint="0" * 64,
    )
    # In training most show pose 2 and domain 1, and the median is (4, 10).
    error = ((0 + 20) / 2 + (2 + 0) / 2 + (4 + 4) / 2) / 3
    assert uninformed_figures(data, "validation") == pytest.approx(
        {"chance/domain": 2 / 3, "chance/pose": 2 / 3, "error_of_median/landmarks": error}
    )
    unlabelled = replace(data, spec=DatasetSpec("d", "object", ()), attributes={})
    assert uninformed_figures(unlabelled, "validation") == pytest.approx({"chance/domain": 2 / 3})
