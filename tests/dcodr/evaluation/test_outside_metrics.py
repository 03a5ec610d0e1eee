"""Metrics from outside are measured beside ours."""

import math

import pytest
import torch
from torch import nn

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.embed import embed
from dcodr.evaluation.outside import load_metric, measure_outside, metric
from dcodr.training.trained import evaluate

OFFSET, IMBALANCE = "mypackage.metrics:offset", "mypackage.metrics:imbalance"
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("mypackage")


class Pixels(nn.Module):
    """Encodes an image as some of its pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :, ::16, ::16].flatten(1)


def test_a_metric_is_measured_on_the_scored_codes_and_labels(few: FactorDataset) -> None:
    report = evaluate(Pixels(), few, "validation", probe="fast", device="cpu", metrics=[OFFSET, IMBALANCE])
    scored = few.indices("validation")
    codes = embed(Pixels(), few.images, scored)
    assert report.metrics[OFFSET] == pytest.approx(codes.mean(dim=0).norm().item())
    domains = few.domain[scored]
    lengths = [codes[torch.from_numpy(domains == d)].mean(dim=0).norm().item() for d in {*domains.tolist()}]
    assert report.metrics[IMBALANCE] == pytest.approx(sum(lengths) / len(lengths))
    without = evaluate(Pixels(), few, "validation", probe="fast", device="cpu")
    assert {name: report.metrics[name] for name in without.metrics} == dict(without.metrics)


def test_collapsed_codes_are_infeasible_before_a_metric_sees_them(
    few: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Constant(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(images), 4)

    monkeypatch.setattr("mypackage.metrics.offset", metric("minimize", 1.0)(lambda codes, labels: 1 / 0))
    report = evaluate(Constant(), few, "validation", probe="fast", device="cpu", metrics=[OFFSET])
    assert report.infeasible is not None
    assert OFFSET not in report.metrics


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (metric("minimize", 1.0)(lambda codes, labels: 1 / 0), " failed: ZeroDivisionError"),
        (metric("minimize", 1.0)(lambda codes, labels: math.nan), "returned nan; should be a finite number"),
        (metric("minimize", 1.0)(lambda codes, labels: "x"), " failed: ValueError"),  # type: ignore[arg-type, return-value]
        (metric("smaller", 1.0)(lambda codes, labels: 1), "direction is maximize or minimize"),  # type: ignore[arg-type]
        (metric("minimize", math.inf)(lambda codes, labels: 1), "reference a finite number"),
        (lambda codes, labels: 1.0, "should be a function under @dcodr.evaluation.outside.metric"),
    ],
)
def test_wrong_metrics_are_refused(found: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypackage.metrics.offset", found)
    with pytest.raises(UserError, match=f"^metrics: {OFFSET}.*{message}"):
        measure_outside([OFFSET], torch.eye(3), {"domain": torch.zeros(3)})


def test_a_package_that_is_not_allowed_measures_nothing() -> None:
    with pytest.raises(UserError, match="metrics: stranger:metric is code of the package stranger"):
        load_metric("stranger:metric")
