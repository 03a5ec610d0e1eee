"""The evaluation of an encoder on one split of a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dcodr.data.dataset import DatasetSpec, FactorDataset, Split
from dcodr.errors import UserError
from dcodr.evaluation.collapse import code_variance, collapse_reason, effective_rank
from dcodr.evaluation.embed import embed
from dcodr.evaluation.metrics import (
    categorical_outcome,
    continuous_outcome,
    probe_figures,
    probe_intervals,
)
from dcodr.evaluation.probes import ProbeBudget, fit_probes
from dcodr.evaluation.retrieval import matches, nearest_neighbours, retrieval_figures

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        figures: Every figure that could be measured, all finite: those of ``metrics.probe_figures`` and
            ``retrieval.retrieval_figures``, ``effective_rank`` and ``code_variance``.
        intervals: 95 % confidence interval of each of the probes' figures.
        infeasible: Why the code has collapsed, so that its figures must not compete; ``None`` if it has not.
    """

    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    infeasible: str | None


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
) -> Report:
    """Measure what an encoder's codes say of the domain and the attributes.

    Fresh probes are fitted on the codes of the train split; the scored split takes no part in that.

    Args:
        encoder: As ``embed`` takes it.
        data: Images and labels.
        split: The split to score: ``validation`` inside a search, ``test`` for final figures.
        budget: ``probes.FAST`` or ``probes.PAPER``.
        seed: Seed of the probes and of the bootstrap.
        device: Where the encoder lies and everything is computed.
        resamples: Bootstrap resamples of the confidence intervals.
        retrieval: Whether to measure retrieval as well.

    Raises:
        UserError: If the split is ``train`` or has fewer than two images, or if there is no attribute.
    """
    train, scored = data.indices("train"), data.indices(split)
    _check(data, split, len(scored))
    train_codes, codes = (embed(encoder, data.images, indices, device) for indices in (train, scored))
    all_codes = torch.cat([train_codes, codes])
    variance, rank = code_variance(all_codes), effective_rank(all_codes)
    infeasible = collapse_reason(variance, rank)
    if not all_codes.isfinite().all():
        return Report({}, {}, infeasible)
    train_factors, factors = (_factors(data, indices, device) for indices in (train, scored))
    n_classes = {"domain": data.n_domains, **{a.name: a.cardinality for a in data.spec.attributes}}
    predicted = fit_probes(train_codes, train_factors, n_classes, budget, seed).predict(codes)
    outcomes = {}
    for name in factors:
        outcome = categorical_outcome if n_classes[name] else continuous_outcome
        outcomes[name] = outcome(predicted[name], factors[name], train_factors[name])
    domain = outcomes.pop("domain")
    figures = {"effective_rank": rank, "code_variance": variance, **probe_figures(domain, outcomes)}
    if retrieval:
        figures |= _retrieval(codes, factors, data.spec)
    return Report(figures, probe_intervals(domain, outcomes, resamples, seed), infeasible)


def _check(data: FactorDataset, split: Split, n_scored: int) -> None:
    if split == "train":
        raise UserError("got split 'train', on which the probes are fitted: score 'validation' or 'test'")
    if n_scored < 2:
        raise UserError(f"split '{split}' of {data.spec.name} has {n_scored} images; at least 2 are needed")
    if not data.spec.attributes:
        raise UserError(f"{data.spec.name} has no attribute: informativeness needs at least one")


def _factors(data: FactorDataset, indices: npt.NDArray[np.int64], device: torch.device) -> dict[str, Tensor]:
    """Labels of some images: the domain, then the attributes in the spec's order."""
    labels = {"domain": data.domain, **{a.name: data.attributes[a.name] for a in data.spec.attributes}}
    return {name: torch.from_numpy(values[indices]).to(device) for name, values in labels.items()}


def _retrieval(codes: Tensor, factors: Mapping[str, Tensor], spec: DatasetSpec) -> dict[str, float]:
    neighbours = nearest_neighbours(codes, max(RECALL_AT))
    matching = {
        a.name: matches(factors[a.name], neighbours, a.margin, a.cardinality if a.cyclic else None)
        for a in spec.attributes
        if a.cardinality
    }
    return retrieval_figures(matching, RECALL_AT) if matching else {}
