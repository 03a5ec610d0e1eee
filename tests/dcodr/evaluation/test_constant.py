"""The metrics of codes without information, known without codes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcodr.data.dataset import Attribute, DatasetSpec, FactorDataset, Split
from dcodr.evaluation.constant import uninformed_metrics
from dcodr.evaluation.probes import ProbeBudget
from dcodr.evaluation.report import evaluate_encoder
from dcodr.evaluation.retrieval import Classes, nearest_neighbours, retrieval_metrics

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
    measured = evaluate_encoder(Pixels(), data, split, BUDGET, seed=0, resamples=2, retrieval=False)
    constant = {
        "domain_accuracy": "chance/domain",
        "accuracy/pose": "chance/pose",
        "error/landmarks": "error_of_median/landmarks",
    }
    found = uninformed_metrics(data, split)
    assert {name: found[name] for name in constant} == {
        name: measured.metrics[same] for name, same in constant.items()
    }


def test_random_codes_retrieve_as_predicted(data: FactorDataset) -> None:
    expected = {
        name: value
        for name, value in uninformed_metrics(data, "validation").items()
        if name.startswith("retrieval_")
    }
    assert len(expected) == 2 * 3
    classes = Classes(torch.from_numpy(data.attributes["pose"][data.split < 2]), 6)
    queries = torch.arange(120, 161)
    drawn = [
        retrieval_metrics(
            {"pose": classes},
            queries,
            nearest_neighbours(torch.randn(161, 8, generator=torch.Generator().manual_seed(i)), queries, 10),
            (1, 5, 10),
        )
        for i in range(200)
    ]
    for name, value in expected.items():
        assert np.mean([one[name] for one in drawn]) == pytest.approx(value, abs=0.015)


def test_the_appearance_of_unlabelled_images_has_its_constant_answer(data: FactorDataset) -> None:
    unlabelled = replace(data, spec=DatasetSpec("d", "object", ()), attributes={})
    measured = evaluate_encoder(Pixels(), unlabelled, "validation", BUDGET, seed=0, resamples=2)
    found = uninformed_metrics(unlabelled, "validation")
    assert found["error/appearance"] == measured.metrics["error_of_median/appearance"]
    assert found.keys() <= measured.metrics.keys()


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
    # The queries have poses 2, 0, 2. Among the five other images, 3, 1 and 3 match.
    random = {f"retrieval_top1/{name}": (3 + 1 + 3) / 5 / 3 for name in ("pose", "all")}
    random |= {f"retrieval_recall_at_{k}/{name}": 1.0 for k in (5, 10) for name in ("pose", "all")}
    assert uninformed_metrics(data, "validation") == pytest.approx(
        {"domain_accuracy": 2 / 3, "accuracy/pose": 2 / 3, "error/landmarks": error, **random}
    )
