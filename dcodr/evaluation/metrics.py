"""Metrics from the per-image outcomes of probes, and their confidence intervals.

A factor's *skill* is 0 for the best constant answer and 1 for a perfect probe: ``(accuracy - chance) / (1 -
chance)`` for a categorical factor, ``1 - error / error_of_median`` for a continuous one. ``informativeness``
is the mean skill over attributes; ``invariance`` is 1 minus the skill on the domain, at most 1. Attributes
that follow from others are measured, but excluded from the mean.

If the constant answer is already perfect, for example because all images have one class, the factor has no
skill. The mean then covers only the other attributes. A metric without any defined skill is omitted.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import AliasChoices, Field
from torch import Tensor

MetricValues = Annotated[Mapping[str, float], Field(validation_alias=AliasChoices("metrics", "figures"))]
"""The values of metrics by name. Files of earlier versions call them ``figures``."""
BLOCK_ELEMENTS = 2**21
"""Most image counts of a block of resamples, which bounds the memory for large splits."""


@dataclass(frozen=True)
class FactorOutcome:
    """Outcomes of one factor's probe, and of the best constant answer, on each scored image.

    Attributes:
        probe: ``(N,)`` float64: 1 if the probe is right and 0 if it is wrong, or its mean absolute error;
            the mean over the probes if there are several.
        constant: ``(N,)`` float64, the same for the constant answer.
        categorical: True if the outcomes are hits (more is better), false for errors (less is better).
    """

    probe: Tensor
    constant: Tensor
    categorical: bool

    @property
    def trivial(self) -> bool:
        """True if the constant answer is perfect, so that no skill can be measured."""
        return bool((self.constant == (1 if self.categorical else 0)).all())

    @property
    def merit(self) -> float:
        """The accuracy, or the negative error, so that higher is better."""
        return self.probe.mean().item() * (1 if self.categorical else -1)


def categorical_outcome(predicted: Tensor, actual: Tensor, training: Tensor) -> FactorOutcome:
    """Compare a probe's classes with the labels, and with the most frequent class of its training codes.

    Args:
        predicted: ``(P, N)`` class ids predicted by each probe.
        actual: ``(N,)`` class ids of the scored images.
        training: ``(n,)`` class ids of the probe's training codes.
    """
    most_frequent = training.bincount().argmax()
    return FactorOutcome(
        probe=(predicted == actual).cpu().double().mean(dim=0),
        constant=(most_frequent == actual).cpu().double(),
        categorical=True,
    )


def continuous_outcome(predicted: Tensor, actual: Tensor, training: Tensor) -> FactorOutcome:
    """Return the absolute errors of a probe, and of the median of the probe's training values.

    Args:
        predicted: ``(P, N, K)`` values predicted by each probe.
        actual: ``(N, K)`` values of the scored images.
        training: ``(n, K)`` values of the probe's training codes; the median is taken of each dimension.
    """
    median = training.median(dim=0).values
    return FactorOutcome(
        probe=(predicted - actual).abs().mean(dim=(0, 2)).cpu().double(),
        constant=(median - actual).abs().mean(dim=1).cpu().double(),
        categorical=False,
    )


def probe_metrics(
    domain: FactorOutcome,
    attributes: Mapping[str, FactorOutcome],
    mean_skill: str = "informativeness",
    derived: Collection[str] = (),
) -> dict[str, float]:
    """Compute all metrics of the probes.

    Args:
        domain: Outcome of the domain's probe.
        attributes: Outcome of each attribute's probe on the same images.
        mean_skill: Name of the mean skill over attributes.
        derived: Attributes that follow from others, so that the mean excludes their skills.

    Returns:
        ``invariance``, ``informativeness``, ``domain_accuracy``, ``chance/domain``, and for each attribute
        ``accuracy/<name>`` and ``chance/<name>``, or ``error/<name>`` and ``error_of_median/<name>``.
        ``invariance`` is missing if the domain is trivial, ``informativeness`` if all attributes are.
    """
    once = torch.ones(1, len(domain.probe), dtype=torch.float64)
    metrics = _metrics(domain, attributes, once, mean_skill, derived)
    return {name: value for name, values in metrics.items() if not math.isnan(value := values.item())}


def probe_intervals(
    domain: FactorOutcome,
    attributes: Mapping[str, FactorOutcome],
    resamples: int,
    seed: int,
    mean_skill: str = "informativeness",
    derived: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """Compute 95 % confidence intervals of all metrics, by percentile bootstrap over the scored images.

    Every metric, including chance, is recomputed in each resample; the constant answers stay those of the
    training codes. The intervals show the variation with other images of the same kind, not with another
    training of encoder or probe. In a resample where an attribute is trivial, for example because it lacks
    the few images of a rare class, the mean covers only the other attributes, as it would for such images. A
    resample in which a metric is undefined does not count for this metric.

    Args:
        domain: Outcome of the domain's probe.
        attributes: Outcome of each attribute's probe on the same images.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        mean_skill: See ``probe_metrics``.
        derived: See ``probe_metrics``.

    Returns:
        Lower and upper limit of each metric of ``probe_metrics``.
    """
    n_images = len(domain.probe)
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, BLOCK_ELEMENTS // n_images)
    blocks = []
    for start in range(0, resamples, rows):
        drawn = torch.randint(n_images, (min(rows, resamples - start), n_images), generator=generator)
        # Counts per image turn every metric of all resamples into one matrix product.
        counts = torch.zeros(drawn.shape, dtype=torch.float64)
        counts.scatter_add_(1, drawn, torch.ones_like(counts))
        blocks.append(_metrics(domain, attributes, counts, mean_skill, derived))
    tails = torch.tensor([0.025, 0.975], dtype=torch.float64)
    intervals = {name: torch.cat([block[name] for block in blocks]).nanquantile(tails) for name in blocks[0]}
    return {name: (low.item(), high.item()) for name, (low, high) in intervals.items() if not low.isnan()}


def _metrics(
    domain: FactorOutcome,
    attributes: Mapping[str, FactorOutcome],
    counts: Tensor,
    mean_skill: str,
    derived: Collection[str],
) -> dict[str, Tensor]:
    """Compute metrics ``(R,)`` of samples in which each image occurs ``counts`` ``(R, N)`` times.

    Undefined metrics are NaN.
    """
    leakage, accuracy, chance = _skill(domain, counts)
    metrics = {"domain_accuracy": accuracy, "chance/domain": chance}
    skills = []
    for name, outcome in attributes.items():
        skill, probe, constant = _skill(outcome, counts)
        names = ("accuracy", "chance") if outcome.categorical else ("error", "error_of_median")
        metrics |= {f"{names[0]}/{name}": probe, f"{names[1]}/{name}": constant}
        if name not in derived:
            skills.append(skill)
    return {
        "invariance": (1 - leakage).clamp_max(1),
        mean_skill: torch.stack(skills).nanmean(dim=0),
        **metrics,
    }


def _skill(outcome: FactorOutcome, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return skill ``(R,)``, NaN for a trivial factor, and mean outcomes of probe and constant answer."""
    probe, constant = (counts @ values / counts.shape[1] for values in (outcome.probe, outcome.constant))
    gap = (1.0 if outcome.categorical else 0.0) - constant
    return torch.where(gap == 0, torch.nan, (probe - constant) / gap), probe, constant
