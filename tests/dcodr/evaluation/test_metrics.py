"""Figures and intervals against closed forms, naive loops and codes of known worth."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dcodr.evaluation.metrics import (
    FactorOutcome,
    categorical_outcome,
    continuous_outcome,
    probe_intervals,
    probe_metrics,
)
from dcodr.evaluation.probes import ProbeBudget

CLASSES = st.lists(st.integers(0, 4), min_size=1, max_size=30)
BUDGET = ProbeBudget(
    layers=2, hidden=64, epochs=10, batch_size=64, learning_rate=1e-2, one_cycle=True, patience=10
)


def hits(right: int, constant_right: int, total: int) -> FactorOutcome:
    """Return a categorical outcome with this many right answers of the probe and of the constant answer."""
    probe, constant = ((torch.arange(total) < number).double() for number in (right, constant_right))
    return FactorOutcome(probe, constant, categorical=True)


@given(CLASSES, CLASSES)
def test_chance_is_the_share_of_the_training_codes_most_frequent_class(
    training: list[int], actual: list[int]
) -> None:
    outcome = categorical_outcome(torch.zeros(1, len(actual)), torch.tensor(actual), torch.tensor(training))
    count = Counter(training)
    most_frequent = min(count, key=lambda label: (-count[label], label))
    assert outcome.constant.mean().item() == pytest.approx(actual.count(most_frequent) / len(actual))


def test_error_of_the_median_is_the_least_error_of_any_constant_answer_per_dimension() -> None:
    rng = np.random.default_rng(0)
    training = rng.exponential([1.0, 50.0], (101, 2)).astype(np.float32)
    actual = rng.exponential([1.0, 50.0], (40, 2)).astype(np.float32)
    outcome = continuous_outcome(*map(torch.from_numpy, ((actual + 2)[None], actual, training)))
    expected = np.abs(np.median(training, axis=0) - actual).mean()
    assert outcome.constant.mean().item() == pytest.approx(expected, rel=1e-6)
    assert outcome.probe.mean().item() == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(
    ("right", "expected"),
    [(100, 0.0), (20, 1.0), (10, 1.0), (60, 0.5), (24, 0.95)],
)
def test_invariance_is_one_minus_the_skill_on_the_domain_and_at_most_one(right: int, expected: float) -> None:
    metrics = probe_metrics(hits(right, 20, 100), {"pose": hits(1, 1, 100)})
    assert metrics["invariance"] == pytest.approx(expected)
    assert metrics["domain_accuracy"] == pytest.approx(right / 100)
    assert metrics["chance/domain"] == pytest.approx(0.2)


def test_informativeness_is_the_mean_skill_over_categorical_and_continuous_attributes() -> None:
    errors = FactorOutcome(
        torch.tensor([1.0, 2.0]).double(), torch.tensor([4.0, 8.0]).double(), categorical=False
    )
    half, below_chance = hits(2, 0, 4), hits(0, 2, 4)
    metrics = probe_metrics(hits(1, 1, 2), {"landmarks": errors})
    assert metrics["informativeness"] == pytest.approx(1 - 1.5 / 6)
    assert (metrics["error/landmarks"], metrics["error_of_median/landmarks"]) == (1.5, 6.0)
    metrics = probe_metrics(hits(1, 1, 4), {"hue": half, "pose": below_chance})
    assert metrics["informativeness"] == pytest.approx((0.5 - 1.0) / 2)
    assert (metrics["accuracy/hue"], metrics["chance/hue"]) == (0.5, 0.0)


def test_the_mean_skill_is_called_as_told() -> None:
    domain, pose = hits(1, 1, 2), {"pose": hits(2, 1, 2)}
    plain, named = probe_metrics(domain, pose), probe_metrics(domain, pose, "skill")
    assert list(named) == ["skill" if name == "informativeness" else name for name in plain]
    assert list(named.values()) == list(plain.values())
    assert "skill" in probe_intervals(domain, pose, resamples=3, seed=0, mean_skill="skill")


CONSTANT = FactorOutcome(torch.ones(3).double(), torch.zeros(3).double(), categorical=False)
"""Values that are all the training values' median."""


@pytest.mark.parametrize("known", [CONSTANT, hits(2, 3, 3)])
def test_an_attribute_that_a_constant_answer_knows_fully_does_not_enter_the_mean(
    known: FactorOutcome,
) -> None:
    """13 bald people of 3,000 and none of them in validation: 0.588 must not fall to 0.294."""
    without = probe_metrics(hits(2, 1, 3), {"hue": hits(2, 1, 3)})
    metrics = probe_metrics(hits(2, 1, 3), {"bald": known, "hue": hits(2, 1, 3)})
    assert known.trivial
    assert metrics["informativeness"] == without["informativeness"] == pytest.approx(0.5)
    assert without.items() <= metrics.items()


def test_figures_that_have_nothing_to_rest_on_are_missing() -> None:
    metrics = probe_metrics(hits(2, 3, 3), {"hue": hits(2, 1, 3)})
    assert "invariance" not in metrics
    assert metrics["domain_accuracy"] == pytest.approx(2 / 3)
    attributes = {"constant": CONSTANT, "bald": hits(2, 3, 3)}
    metrics = probe_metrics(hits(2, 1, 3), attributes)
    assert "informativeness" not in metrics
    assert metrics["accuracy/bald"] == pytest.approx(2 / 3)
    assert set(probe_intervals(hits(2, 1, 3), attributes, resamples=50, seed=0)) == set(metrics)


def test_derived_attributes_are_measured_but_do_not_enter_the_mean() -> None:
    attributes = {"azimuth": hits(3, 1, 4), "elevation": hits(4, 2, 4), "pose": hits(1, 0, 4)}
    metrics = probe_metrics(hits(1, 1, 4), attributes, derived=["pose"])
    assert metrics["informativeness"] == pytest.approx((2 / 3 + 1) / 2)
    assert (metrics["accuracy/pose"], metrics["chance/pose"]) == (0.25, 0.0)
    intervals = probe_intervals(hits(1, 1, 4), attributes, resamples=200, seed=0, derived=["pose"])
    alone = {name: attributes[name] for name in ("azimuth", "elevation")}
    expected = probe_intervals(hits(1, 1, 4), alone, resamples=200, seed=0)
    assert intervals["informativeness"] == expected["informativeness"]
    assert "accuracy/pose" in intervals


def test_interval_of_an_accuracy_agrees_with_the_normal_approximation_of_a_proportion() -> None:
    n, p = 2000, 0.3
    domain = hits(round(n * p), 0, n)
    low, high = probe_intervals(domain, {"pose": domain}, resamples=2000, seed=0)["domain_accuracy"]
    half_width = 1.96 * math.sqrt(p * (1 - p) / n)
    assert low == pytest.approx(p - half_width, abs=0.1 * half_width)
    assert high == pytest.approx(p + half_width, abs=0.1 * half_width)


def naive_figures(
    domain: FactorOutcome, attributes: dict[str, FactorOutcome], drawn: Tensor
) -> dict[str, float]:
    """Metrics of drawn images, from the definitions; what has nothing to rest on is not given."""
    found: dict[str, float] = {}
    skills: dict[str, float] = {}
    for name, outcome in {"domain": domain, **attributes}.items():
        probe, constant = outcome.probe[drawn].mean().item(), outcome.constant[drawn].mean().item()
        perfect = 1.0 if outcome.categorical else 0.0
        if constant != perfect:
            skills[name] = (probe - constant) / (perfect - constant)
        labels = ("accuracy", "chance") if outcome.categorical else ("error", "error_of_median")
        found |= {f"{labels[0]}/{name}": probe, f"{labels[1]}/{name}": constant}
    found["domain_accuracy"] = found.pop("accuracy/domain")
    if "domain" in skills:
        found["invariance"] = min(1.0, 1 - skills.pop("domain"))
    if skills:
        found["informativeness"] = sum(skills.values()) / len(skills)
    return found


def test_intervals_agree_with_a_naive_bootstrap_of_every_figure() -> None:
    generator = torch.Generator().manual_seed(0)
    n = 60
    right, values = (
        torch.randint(2, (4, n), generator=generator).double(),
        torch.rand(2, n, generator=generator).double(),
    )
    domain, pose = FactorOutcome(right[0], right[1], True), FactorOutcome(right[2], right[3], True)
    errors = FactorOutcome(values[0], values[1], categorical=False)
    rare = FactorOutcome((torch.arange(n) < 55).double(), (torch.arange(n) < 58).double(), True)
    attributes = {"pose": pose, "landmarks": errors, "rare": rare}
    intervals = probe_intervals(domain, attributes, resamples=3000, seed=1)
    rng = np.random.default_rng(0)
    naive: dict[str, list[float]] = {}
    for _ in range(1500):
        drawn = torch.from_numpy(rng.integers(n, size=n))
        for name, value in naive_figures(domain, attributes, drawn).items():
            naive.setdefault(name, []).append(value)
    assert set(intervals) == set(naive)
    for name, samples in naive.items():
        expected = np.quantile(samples, [0.025, 0.975])
        np.testing.assert_allclose(intervals[name], expected, atol=0.12 * (np.ptp(expected)), err_msg=name)


def test_intervals_depend_on_the_seed_alone_and_not_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    domain, attributes = hits(7, 3, 20), {"pose": hits(12, 5, 20)}
    first = probe_intervals(domain, attributes, resamples=50, seed=0)
    assert probe_intervals(domain, attributes, resamples=50, seed=1) != first
    monkeypatch.setattr("dcodr.evaluation.metrics.BLOCK_ELEMENTS", 60)
    assert probe_intervals(domain, attributes, resamples=50, seed=0) == first


def test_outcomes_of_several_probes_are_their_means() -> None:
    actual = torch.tensor([0, 1, 2])
    hits = categorical_outcome(torch.tensor([[0, 1, 1], [0, 2, 1]]), actual, actual).probe
    assert hits.tolist() == [1, 0.5, 0]
    values = torch.zeros(3, 1)
    errors = continuous_outcome(torch.tensor([[[1.0], [2.0], [0.0]], [[3.0], [2.0], [0.0]]]), values, values)
    assert errors.probe.tolist() == [2, 2, 0]
