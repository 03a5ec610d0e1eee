"""The evaluation of an encoder on one split of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dcodr.data.dataset import DatasetSpec, FactorDataset, Split
from dcodr.errors import UserError
from dcodr.evaluation.appearance import IMAGE_INFORMATIVENESS, appearance, thumbnails
from dcodr.evaluation.collapse import code_variance, collapse_reason, effective_rank
from dcodr.evaluation.embed import Images, embed
from dcodr.evaluation.metrics import (
    categorical_outcome,
    continuous_outcome,
    probe_figures,
    probe_intervals,
)
from dcodr.evaluation.probes import ProbeBudget, fit_probes
from dcodr.evaluation.retrieval import Classes, nearest_neighbours, retrieval_figures
from dcodr.precision import float32_products
from dcodr.words import counted

PROTOCOL = 2
"""Number of the way of measuring: figures of different ones must not stand side by side.

2: the paper's probe is the one that the official code calls, retrieval searches train and scored split,
derived and trivial attributes do not enter ``informativeness``.
"""
RECALL_AT = (1, 5, 10)
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        figures: Every figure that could be measured, all finite: those of ``metrics.probe_figures`` and
            ``retrieval.retrieval_figures``, ``effective_rank`` and ``code_variance``.
        intervals: 95 % confidence interval of each of the probes' figures.
        infeasible: Why the figures must not compete: the code has collapsed, or one of the means cannot be
            measured on this split at all; ``None`` otherwise.
        unmeasured: Factors for which a constant answer is right for every image of this split, so that there
            is nothing to know; the means leave them out.
    """

    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    infeasible: str | None
    unmeasured: tuple[str, ...] = ()


@float32_products(tf32=False)
def evaluate(
    encoder: nn.Module,
    data: FactorDataset,
    split: Split,
    budget: ProbeBudget,
    *,
    seed: int,
    device: torch.device,
    resamples: int = 1000,
    retrieval: bool = True,
    images: Images | None = None,
) -> Report:
    """Measure what an encoder's codes say of the domain and the attributes, or without any of the images.

    Fresh probes are fitted on the codes of the train split; the scored split takes no part in that. Images of
    the scored split are the queries of retrieval, its gallery are those of both splits.

    Products of float32 numbers are exact to float32 here, whatever the training's precision.

    Args:
        encoder: As ``embed`` takes it.
        data: Images and labels.
        split: The split to score: ``validation`` inside a search, ``test`` for final figures.
        budget: ``probes.FAST`` or ``probes.PAPER``.
        seed: Seed of the probes and of the bootstrap.
        device: Where the encoder lies and everything is computed.
        resamples: Bootstrap resamples of the confidence intervals.
        retrieval: Whether to measure retrieval as well.
        images: The images of ``data``, if they lie on the device already.

    Raises:
        UserError: If the split is ``train`` or has fewer than two images.
    """
    train, scored = data.indices("train"), data.indices(split)
    _check(data, split, len(scored))
    images = data.images if images is None else images
    train_codes, codes = (embed(encoder, images, indices, device) for indices in (train, scored))
    all_codes = torch.cat([train_codes, codes])
    variance, rank = code_variance(all_codes), effective_rank(all_codes)
    infeasible = collapse_reason(variance, rank)
    if not all_codes.isfinite().all():
        return Report({}, {}, infeasible)
    train_factors, factors, n_classes = _factors(data, images, train, scored, device)
    predicted = fit_probes(train_codes, train_factors, n_classes, budget, seed).predict(codes)
    outcomes = {}
    for name in factors:
        outcome = categorical_outcome if n_classes[name] else continuous_outcome
        outcomes[name] = outcome(predicted[name], factors[name], train_factors[name])
    domain = outcomes.pop("domain")
    unmeasured = tuple(name for name, one in {"domain": domain, **outcomes}.items() if one.trivial)
    mean_skill = "informativeness" if data.spec.attributes else IMAGE_INFORMATIVENESS
    derived = [attribute.name for attribute in data.spec.attributes if attribute.derived]
    figures = {"effective_rank": rank, "code_variance": variance}
    figures |= probe_figures(domain, outcomes, mean_skill, derived)
    intervals = probe_intervals(domain, outcomes, resamples, seed, mean_skill, derived)
    for name in ("invariance", mean_skill):
        if name not in figures and infeasible is None:
            infeasible = f"{name} cannot be measured: a constant answer is right for every {split} image"
    if retrieval:
        figures |= _retrieval(all_codes, train_factors, factors, data.spec)
    return Report(figures, intervals, infeasible, unmeasured)


def _check(data: FactorDataset, split: Split, n_scored: int) -> None:
    if split == "train":
        raise UserError("got split 'train', on which the probes are fitted: score 'validation' or 'test'")
    if n_scored < 2:
        raise UserError(
            f"split '{split}' of {data.spec.name} has {counted(n_scored, 'image')}; at least 2 are needed"
        )


def _factors(
    data: FactorDataset, images: Images, train: Indices, scored: Indices, device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, int | None]]:
    """Labels of training and scored images, and the classes of each factor.

    Factors are the domain, then the attributes in the spec's order; if there are none, the appearance.
    """
    n_classes = {"domain": data.n_domains, **{a.name: a.cardinality for a in data.spec.attributes}}
    labels = {"domain": data.domain, **{a.name: data.attributes[a.name] for a in data.spec.attributes}}
    train_factors, factors = (
        {name: torch.from_numpy(values[indices]).to(device) for name, values in labels.items()}
        for indices in (train, scored)
    )
    if not data.spec.attributes:
        seen, others = (thumbnails(images, indices, device) for indices in (train, scored))
        train_factors["appearance"], factors["appearance"] = appearance(
            seen, others, train_factors["domain"], factors["domain"]
        )
        n_classes["appearance"] = None
    return train_factors, factors, n_classes


def _retrieval(
    codes: Tensor, train_factors: Mapping[str, Tensor], factors: Mapping[str, Tensor], spec: DatasetSpec
) -> dict[str, float]:
    """Figures of the scored images as queries; codes are those of training images, then theirs."""
    classes = {
        a.name: Classes(
            torch.cat([train_factors[a.name], factors[a.name]]), a.cardinality, a.margin, a.cyclic
        )
        for a in spec.attributes
        if a.cardinality
    }
    if not classes:
        return {}
    queries = torch.arange(len(train_factors["domain"]), len(codes), device=codes.device)
    neighbours = nearest_neighbours(codes, queries, max(RECALL_AT))
    return retrieval_figures(classes, queries, neighbours, RECALL_AT)
