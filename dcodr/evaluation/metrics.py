"""Per-image outcomes of the probes to figures, and how sure the figures are.

A factor's *skill* is how far its probe gets from the best constant answer to a perfect one: ``(accuracy -
chance) / (1 - chance)`` for a categorical factor, ``1 - error / error_of_median`` for a continuous one.
``informativeness`` is the mean skill over attributes, ``invariance`` is 1 minus the skill on the domain, at
most 1. Attributes that follow from others are measured, but do not enter the mean.

Where the constant answer is already perfect, as on images that are all of one class, there is nothing to
know: the factor has no skill. The mean is then one over the other attributes; a figure that has no skill to
rest on is not given.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_BLOCK_ELEMENTS = 2**21


@dataclass(frozen=True)
class Outcome:
    """What one factor's probe, and the best constant answer, made of each scored image.

    Attributes:
        probe: ``(N,)`` float64: 1 or 0 where the probe is right or wrong, or its mean absolute error.
        constant: ``(N,)`` float64, the same for the constant answer.
        categorical: Whether the outcomes are hits (the more the better) or errors (the less the better).
    """

    probe: Tensor
    constant: Tensor
    categorical: bool

    @property
    def trivial(self) -> bool:
        """Tell whether the constant answer is perfect, so that there is nothing to know."""
        return bool((self.constant == (1 if self.categorical else 0)).all())


def categorical_outcome(predicted: Tensor, actual: Tensor, training: Tensor) -> Outcome:
    """Hits of a probe, and of always answering the most frequent class of the probe's training codes.

    Args:
        predicted: ``(N,)`` class ids that the probe gives.
        actual: ``(N,)`` class ids of the scored images.
        training: ``(n,)`` class ids of the probe's training codes.
    """
    most_frequent = training.bincount().argmax()
    return Outcome(
        probe=(predicted == actual).cpu().double(),
        constant=(most_frequent == actual).cpu().double(),
        categorical=True,
    )


def continuous_outcome(predicted: Tensor, actual: Tensor, training: Tensor) -> Outcome:
    """Mean absolute errors of a probe, and of always answering the median of the probe's training values.

    Args:
        predicted: ``(N, K)`` values that the probe gives.
        actual: ``(N, K)`` values of the scored images.
        training: ``(n, K)`` values of the probe's training codes; the median is taken of each dimension.
    """
    median = training.median(dim=0).values
    return Outcome(
        probe=(predicted - actual).abs().mean(dim=1).cpu().double(),
        constant=(median - actual).abs().mean(dim=1).cpu().double(),
        categorical=False,
    )


def probe_figures(
    domain: Outcome,
    attributes: Mapping[str, Outcome],
    mean_skill: str = "informativeness",
    derived: Collection[str] = (),
) -> dict[str, float]:
    """All figures of the probes.

    Args:
        domain: Outcome of the domain's probe.
        attributes: Outcome of each attribute's probe on the same images.
        mean_skill: What the mean skill over attributes is called.
        derived: Attributes that follow from others, so that their skills do not enter the mean.

    Returns:
        ``invariance``, ``informativeness``, ``domain_accuracy``, ``chance/domain``, and for each attribute
        ``accuracy/<name>`` and ``chance/<name>``, or ``error/<name>`` and ``error_of_median/<name>``.
        ``invariance`` is missing if the domain is trivial, ``informativeness`` if all attributes are.
    """
    once = torch.ones(1, len(domain.probe), dtype=torch.float64)
    figures = _figures(domain, attributes, once, mean_skill, derived)
    return {name: value for name, values in figures.items() if not math.isnan(value := values.item())}


def probe_intervals(
    domain: Outcome,
    attributes: Mapping[str, Outcome],
    resamples: int,
    seed: int,
    mean_skill: str = "informativeness",
    derived: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """95 % confidence intervals of all figures, by percentile bootstrap over the scored images.

    Every figure, chance included, is computed anew in each resample; the constant answers stay those of the
    training codes. The intervals say how the figures would vary with other images of the same kind, not with
    another training of encoder or probe. In a resample where an attribute is trivial, as one without the few
    images of a rare class, the mean is one over the others, as it would be for such images; a resample that
    leaves a figure nothing to rest on does not count for it.

    Args:
        domain: Outcome of the domain's probe.
        attributes: Outcome of each attribute's probe on the same images.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        mean_skill: As for ``probe_figures``.
        derived: As for ``probe_figures``.

    Returns:
        Lower and upper limit of each figure of ``probe_figures``.
    """
    n_images = len(domain.probe)
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, _BLOCK_ELEMENTS // n_images)
    blocks = []
    for start in range(0, resamples, rows):
        drawn = torch.randint(n_images, (min(rows, resamples - start), n_images), generator=generator)
        counts = torch.zeros(drawn.shape, dtype=torch.float64)
        counts.scatter_add_(1, drawn, torch.ones_like(counts))
        blocks.append(_figures(domain, attributes, counts, mean_skill, derived))
    tails = torch.tensor([0.025, 0.975], dtype=torch.float64)
    intervals = {name: torch.cat([block[name] for block in blocks]).nanquantile(tails) for name in blocks[0]}
    return {name: (low.item(), high.item()) for name, (low, high) in intervals.items() if not low.isnan()}


def _figures(
    domain: Outcome,
    attributes: Mapping[str, Outcome],
    counts: Tensor,
    mean_skill: str,
    derived: Collection[str],
) -> dict[str, Tensor]:
    """Figures ``(R,)`` of samples in which each image occurs as often as ``counts`` ``(R, N)`` say.

    They are NaN where there is nothing to know.
    """
    leakage, accuracy, chance = _skill(domain, counts)
    figures = {"domain_accuracy": accuracy, "chance/domain": chance}
    skills = []
    for name, outcome in attributes.items():
        skill, probe, constant = _skill(outcome, counts)
        names = ("accuracy", "chance") if outcome.categorical else ("error", "error_of_median")
        figures |= {f"{names[0]}/{name}": probe, f"{names[1]}/{name}": constant}
        if name not in derived:
            skills.append(skill)
    return {
        "invariance": (1 - leakage).clamp_max(1),
        mean_skill: torch.stack(skills).nanmean(dim=0),
        **figures,
    }


def _skill(outcome: Outcome, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Skill, NaN where the factor is trivial, and mean outcomes of probe and constant answer, ``(R,)``."""
    probe, constant = (counts @ values / counts.shape[1] for values in (outcome.probe, outcome.constant))
    gap = (1.0 if outcome.categorical else 0.0) - constant
    return torch.where(gap == 0, torch.nan, (probe - constant) / gap), probe, constant
