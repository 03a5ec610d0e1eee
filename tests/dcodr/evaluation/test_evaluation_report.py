"""The whole evaluation, on images that show their own labels."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, FactorDataset, Split
from dcodr.errors import UserError
from dcodr.evaluation.probes import ProbeBudget
from dcodr.evaluation.report import Report, evaluate_encoder

BUDGET = ProbeBudget(
    layers=2, hidden=64, epochs=12, batch_size=64, learning_rate=1e-2, one_cycle=True, patience=12
)
ATTRIBUTES = (
    Attribute("pose", 6, cyclic=True, margin=1),
    Attribute("hue", 3),
    Attribute("landmarks", None),
)


@pytest.fixture(scope="module")
def data() -> FactorDataset:
    """Each image shows its labels: domain, pose and hue in the first row, landmarks in the second."""
    rng = np.random.default_rng(0)
    n = 900
    domain, pose, hue = (rng.integers(k, size=n) for k in (4, 6, 3))
    landmarks = rng.random((n, 2)).astype(np.float32)
    images = np.zeros((n, 2, 2, 3), dtype=np.uint8)
    images[:, 0, 0] = np.stack([domain, pose, hue], axis=1)
    images[:, 1, 0, :2] = np.round(landmarks * 255)
    split = np.repeat(np.arange(3, dtype=np.uint8), [600, 150, 150])
    return FactorDataset(
        spec=DatasetSpec("tiny", "object", ATTRIBUTES),
        images=images,
        domain=domain,
        attributes={"pose": pose, "hue": hue, "landmarks": landmarks},
        split=split,
        fingerprint="0" * 64,
    )


class Shown(nn.Module):
    """Encodes an image as what it shows of some factors."""

    def __init__(self, domain: bool = False, attributes: bool = False) -> None:
        super().__init__()
        self.domain, self.attributes = domain, attributes

    def forward(self, images: Tensor) -> Tensor:
        domain, pose, hue = (images[:, :, 0, 0] * 255).round().long().unbind(dim=1)
        codes = [images.new_ones(len(images), 3)]
        if self.domain:
            codes.append(torch.eye(4)[domain])
        if self.attributes:
            codes += [torch.eye(6)[pose], torch.eye(3)[hue], images[:, :2, 1, 0]]
        return torch.cat(codes, dim=1)


def measure(encoder: nn.Module, data: FactorDataset, split: Split = "validation") -> Report:
    return evaluate_encoder(encoder, data, split, BUDGET, seed=0, resamples=50)


def test_codes_of_the_attributes_alone_are_invariant_and_informative(data: FactorDataset) -> None:
    report = measure(Shown(attributes=True), data)
    assert report.infeasible is None
    assert report.metrics["invariance"] > 0.9
    assert report.metrics["informativeness"] > 0.9
    assert report.metrics["retrieval_top1/all"] > 0.9


def test_codes_of_the_domain_alone_are_neither(data: FactorDataset) -> None:
    report = measure(Shown(domain=True), data)
    assert report.metrics["invariance"] == 0.0
    assert report.metrics["domain_accuracy"] == 1.0
    assert abs(report.metrics["informativeness"]) < 0.1


def test_report_has_every_figure_finite_and_within_its_interval(data: FactorDataset) -> None:
    report = measure(Shown(domain=True, attributes=True), data)
    probe_names = {"invariance", "informativeness", "domain_accuracy", "chance/domain"}
    probe_names |= {f"{figure}/{name}" for figure in ("accuracy", "chance") for name in ("pose", "hue")}
    probe_names |= {"error/landmarks", "error_of_median/landmarks"}
    retrieval_names = {
        f"retrieval_{figure}/{name}"
        for figure in ("top1", "recall_at_5", "recall_at_10", "ceiling")
        for name in ("pose", "hue", "all")
    }
    assert set(report.intervals) == probe_names
    assert set(report.metrics) == probe_names | retrieval_names | {"effective_rank", "code_variance"}
    assert all(math.isfinite(value) for value in report.metrics.values())
    assert all(re.fullmatch(r"[\w\-. :/]+", name) for name in report.metrics)
    for name, (low, high) in report.intervals.items():
        assert low - 1e-9 <= report.metrics[name] <= high + 1e-9, name


def test_only_the_chosen_split_is_scored_and_it_takes_no_part_in_fitting(data: FactorDataset) -> None:
    """Wrong labels in the test split must ruin its metrics and leave those of the validation split alone."""
    spoiled = {name: values.copy() for name, values in data.attributes.items()}
    test = data.indices("test")
    spoiled["pose"][test] = (spoiled["pose"][test] + 3) % 6
    other = replace(data, attributes=spoiled)
    encoder = Shown(attributes=True)
    assert measure(encoder, other) == measure(encoder, data)
    assert measure(encoder, other, "test").metrics["accuracy/pose"] < 0.1


def test_retrieval_allows_each_attribute_its_own_margin_and_period(data: FactorDataset) -> None:
    """Images of adjacent poses share a code: 5 and 0, 1 and 2, 3 and 4. Nothing else is in the codes."""

    class Pairs(Shown):
        def forward(self, images: Tensor) -> Tensor:
            pose = (images[:, 1, 0, 0] * 255).round().long()
            return torch.eye(3)[(pose + 1) % 6 // 2]

    metrics = measure(Pairs(), data).metrics
    assert metrics["retrieval_top1/pose"] == 1.0
    assert metrics["retrieval_top1/hue"] < 0.6
    assert metrics["retrieval_top1/all"] == metrics["retrieval_top1/hue"]


def test_neighbours_are_sought_among_train_and_scored_images(data: FactorDataset) -> None:
    """Poses 4 and 5 are in validation and test once each, so that their matches are training images alone."""
    split = data.split.copy()
    rare = np.flatnonzero(data.attributes["pose"] >= 4)
    split[rare] = SPLITS.index("train")
    split[[rare[0], rare[-1]]] = SPLITS.index("validation"), SPLITS.index("test")
    exact = (Attribute("pose", 6), *ATTRIBUTES[1:])
    other = replace(data, split=split, spec=replace(data.spec, attributes=exact))
    for one in ("validation", "test"):
        metrics = measure(Shown(attributes=True), other, one).metrics
        assert metrics["retrieval_ceiling/pose"] == 1.0
        assert metrics["retrieval_top1/pose"] > 0.97

    labels = {name: values.copy() for name, values in other.attributes.items()}
    labels["pose"][np.setdiff1d(rare, rare[[0, -1]])] = 3
    alone = replace(other, attributes=labels)
    n_validation = len(alone.indices("validation"))
    metrics = measure(Shown(attributes=True), alone).metrics
    assert metrics["retrieval_ceiling/pose"] == pytest.approx(1 - 1 / n_validation)
    assert metrics["retrieval_ceiling/hue"] == 1.0


def test_a_derived_attribute_is_measured_but_not_counted(data: FactorDataset) -> None:
    """Hue comes a second time, told by nothing in the codes."""
    noise = np.random.default_rng(1).integers(0, 3, len(data.domain))
    hues = replace(data.spec, attributes=(Attribute("hue", 3), Attribute("noise", 3)))
    derived = replace(data.spec, attributes=(Attribute("hue", 3), Attribute("noise", 3, derived=True)))
    attributes = {"hue": data.attributes["hue"], "noise": noise}
    counted, apart = (
        measure(Shown(attributes=True), replace(data, spec=spec, attributes=attributes))
        for spec in (hues, derived)
    )
    assert counted.metrics["informativeness"] < 0.6
    assert apart.metrics["informativeness"] > 0.9
    assert apart.metrics["accuracy/noise"] == counted.metrics["accuracy/noise"]
    assert "retrieval_top1/noise" in apart.metrics


def with_hue(data: FactorDataset, hue: int, *splits: Split) -> FactorDataset:
    """Give all images of some splits one hue."""
    labels = {name: values.copy() for name, values in data.attributes.items()}
    for split in splits:
        labels["hue"][data.indices(split)] = hue
    return replace(data, attributes=labels)


def test_what_cannot_be_measured_on_a_split_is_left_out_and_said(data: FactorDataset) -> None:
    most_frequent = int(np.bincount(data.attributes["hue"][data.indices("train")]).argmax())
    plain, report = (
        measure(Shown(attributes=True), one) for one in (data, with_hue(data, most_frequent, "validation"))
    )
    assert plain.unmeasured == ()
    assert report.unmeasured == ("hue",)
    assert report.infeasible is None
    assert report.metrics["chance/hue"] == 1.0
    others = 1 - report.metrics["error/landmarks"] / report.metrics["error_of_median/landmarks"]
    pose = report.metrics["accuracy/pose"], report.metrics["chance/pose"]
    assert report.metrics["informativeness"] == pytest.approx(
        (others + (pose[0] - pose[1]) / (1 - pose[1])) / 2
    )


def test_a_split_where_nothing_can_be_measured_is_infeasible(data: FactorDataset) -> None:
    hue = replace(data.spec, attributes=(Attribute("hue", 3),))
    report = measure(Shown(attributes=True), replace(with_hue(data, 2, "train", "validation"), spec=hue))
    assert "informativeness cannot be measured" in (report.infeasible or "")
    assert "informativeness" not in report.metrics
    assert all(math.isfinite(value) for value in report.metrics.values())
    assert set(report.intervals) <= set(report.metrics)

    one_domain = data.split.copy()
    leaders = np.flatnonzero((data.split == 1) & (data.domain != np.bincount(data.domain[:600]).argmax()))
    one_domain[leaders] = SPLITS.index("test")
    report = measure(Shown(attributes=True), replace(data, split=one_domain))
    assert "invariance cannot be measured" in (report.infeasible or "")
    assert report.unmeasured == ("domain",)


def test_retrieval_is_left_out_on_demand(data: FactorDataset) -> None:
    report = evaluate_encoder(
        Shown(attributes=True), data, "validation", BUDGET, seed=0, resamples=10, retrieval=False
    )
    assert not any(name.startswith("retrieval") for name in report.metrics)


@pytest.fixture(scope="module")
def unlabelled(data: FactorDataset) -> FactorDataset:
    """The same images, and nothing known of them but their domain."""
    return replace(data, spec=replace(data.spec, attributes=()), attributes={})


def test_without_attributes_the_images_themselves_are_to_be_told(
    data: FactorDataset, unlabelled: FactorDataset
) -> None:
    report = measure(Shown(attributes=True), unlabelled)
    probe_names = {"invariance", "image_informativeness", "domain_accuracy", "chance/domain"}
    probe_names |= {"error/appearance", "error_of_median/appearance"}
    assert set(report.intervals) == probe_names
    assert set(report.metrics) == probe_names | {"effective_rank", "code_variance"}
    assert report.metrics["image_informativeness"] > 0.7
    labelled = measure(Shown(attributes=True), data)
    for name in ("invariance", "domain_accuracy"):
        assert report.metrics[name] == pytest.approx(labelled.metrics[name], abs=0.02)


def test_codes_of_the_domain_alone_tell_nothing_of_the_images(unlabelled: FactorDataset) -> None:
    report = measure(Shown(domain=True), unlabelled)
    assert report.metrics["invariance"] == 0.0
    assert abs(report.metrics["image_informativeness"]) < 0.1


class Random(Shown):
    """Codes that have nothing to do with the images."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.randn(len(images), 8, generator=torch.Generator().manual_seed(len(images)))


def test_random_codes_tell_nothing_of_the_images(unlabelled: FactorDataset) -> None:
    report = measure(Random(), unlabelled)
    assert abs(report.metrics["image_informativeness"]) < 0.1


def test_random_codes_are_invariant_and_uninformative(data: FactorDataset) -> None:
    report = measure(Random(), data)
    assert report.metrics["invariance"] > 0.9
    assert abs(report.metrics["informativeness"]) < 0.1


def test_constant_codes_are_infeasible_without_attributes_too(unlabelled: FactorDataset) -> None:
    report = measure(Shown(), unlabelled)
    assert report.infeasible is not None
    assert abs(report.metrics["image_informativeness"]) < 0.1


def test_constant_codes_are_infeasible_and_their_figures_are_those_of_no_knowledge(
    data: FactorDataset,
) -> None:
    report = measure(Shown(), data)
    assert report.infeasible is not None
    assert "constant" in report.infeasible
    assert report.metrics["invariance"] > 0.9
    assert abs(report.metrics["informativeness"]) < 0.1


def test_codes_that_are_not_finite_are_infeasible_and_have_no_figures(data: FactorDataset) -> None:
    class Broken(Shown):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) * torch.nan

    report = measure(Broken(attributes=True), data)
    assert report.infeasible is not None
    assert "NaN" in report.infeasible
    assert not report.metrics
    assert not report.intervals


def test_splits_that_cannot_be_scored_are_refused(data: FactorDataset) -> None:
    with pytest.raises(UserError, match="'train'"):
        measure(Shown(), data, "train")
    one_image = data.split.copy()
    one_image[data.indices("validation")[1:]] = SPLITS.index("train")
    with pytest.raises(UserError, match="has 1 image;"):
        measure(Shown(), replace(data, split=one_image))
