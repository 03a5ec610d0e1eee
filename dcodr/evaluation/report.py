"""The evaluation of an encoder on one split of a dataset."""

from collections.abc import Mapping, Sequence
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
    FactorOutcome,
    MetricValues,
    categorical_outcome,
    continuous_outcome,
    probe_intervals,
    probe_metrics,
)
from dcodr.evaluation.outside import measure_outside
from dcodr.evaluation.probes import ProbeBudget, fit_probes
from dcodr.evaluation.retrieval import Classes, nearest_neighbours, retrieval_metrics
from dcodr.precision import float32_products
from dcodr.words import counted

PROTOCOL = 3
"""Version of the measurement protocol. Metrics of different versions must not be compared.

3: the fast probes train on all codes and keep the last epoch; the metrics of several are averaged.
2: the paper's probe is the one that the official code calls, retrieval searches the train and scored splits,
``informativeness`` excludes derived and trivial attributes.
"""
RECALL_AT = (1, 5, 10)
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Report:
    """The metrics of an encoder on one split.

    Attributes:
        metrics: Every metric that could be measured, all finite: those of ``metrics.probe_metrics`` and
            ``retrieval.retrieval_metrics``, ``effective_rank`` and ``code_variance``, and those from outside.
        intervals: 95 % confidence interval of each of the probes' metrics.
        infeasible: The reason why the metrics must not compete: the code has collapsed, or one of the means
            cannot be measured on this split at all; ``None`` otherwise.
        unmeasured: Factors for which a constant answer is right for every image of this split, so that no
            skill can be measured; the means exclude them.
    """

    metrics: MetricValues
    intervals: Mapping[str, tuple[float, float]]
    infeasible: str | None
    unmeasured: tuple[str, ...] = ()


@dataclass(frozen=True)
class EncodedSplit:
    """The codes and labels of a split to score, beside those of the train split.

    Attributes:
        train_codes: ``(n, d)`` codes of the train split.
        codes: ``(m, d)`` codes of the scored split.
        train_factors: For each factor, the domain first, ``(n,)`` class ids or ``(n, K)`` values.
        factors: The same of the scored split.
        n_classes: For each factor its number of classes; ``None`` if it is continuous.
        split: Name of the scored split.
        spec: The meaning of the labels.
    """

    train_codes: Tensor
    codes: Tensor
    train_factors: Mapping[str, Tensor]
    factors: Mapping[str, Tensor]
    n_classes: Mapping[str, int | None]
    split: Split
    spec: DatasetSpec

    @property
    def mean_skill(self) -> str:
        """Name of the mean skill over attributes."""
        return "informativeness" if self.spec.attributes else IMAGE_INFORMATIVENESS

    @property
    def derived(self) -> list[str]:
        """Attributes that follow from others, so that the mean skill excludes them."""
        return [attribute.name for attribute in self.spec.attributes if attribute.derived]

    @property
    def finite(self) -> bool:
        """True if all codes are finite; probes cannot be fitted on others."""
        return bool(self.train_codes.isfinite().all() and self.codes.isfinite().all())

    def probed(self, budget: ProbeBudget, seed: int) -> dict[str, Tensor]:
        """Fit fresh probes to the train split, and return their answers for the scored split."""
        attributes = [name for name in self.factors if name != "domain"]
        repeats = budget.repeats(attributes, self.derived)
        probes = fit_probes(self.train_codes, self.train_factors, self.n_classes, budget, seed, repeats)
        return probes.predict(self.codes)

    def outcomes(self, predicted: Mapping[str, Tensor]) -> dict[str, FactorOutcome]:
        """Compare predictions for the scored split, as `Probes.predict` returns them, with the labels."""
        outcomes = {}
        for name, actual in self.factors.items():
            outcome = categorical_outcome if self.n_classes[name] else continuous_outcome
            outcomes[name] = outcome(predicted[name], actual, self.train_factors[name])
        return outcomes


def encode_split(
    encoder: nn.Module,
    data: FactorDataset,
    split: Split,
    *,
    images: Images | None = None,
) -> EncodedSplit:
    """Encode the images of the train split and of a split to score; see :func:`evaluate_encoder`.

    Raises:
        UserError: If the split is ``train`` or has fewer than two images.
    """
    require_scorable(data, split)
    train, scored = data.indices("train"), data.indices(split)
    images = data.images if images is None else images
    train_codes, codes = (embed(encoder, images, indices) for indices in (train, scored))
    factors = factors_of(data, images, train, scored, codes.device)
    return EncodedSplit(train_codes, codes, *factors, split, data.spec)


@float32_products(tf32=False)
def evaluate_encoder(
    encoder: nn.Module,
    data: FactorDataset,
    split: Split,
    budget: ProbeBudget,
    *,
    seed: int,
    resamples: int = 1000,
    retrieval: bool = True,
    images: Images | None = None,
    metrics: Sequence[str] = (),
) -> Report:
    """Measure the information of an encoder's codes about the domain and the attributes.

    If there are no attributes, the appearance of the images replaces them. Fresh probes are fitted on the
    codes of the train split only. The images of the scored split are the queries of retrieval; those of both
    splits form its gallery.

    Products of float32 numbers are computed in full float32 here, regardless of the training's precision.

    Args:
        encoder: See ``embed``; the computation runs on its device.
        data: Images and labels.
        split: The split to score: ``validation`` inside a search, ``test`` for final metrics.
        budget: ``probes.FAST`` or ``probes.PAPER``.
        seed: Seed of the probes and of the bootstrap.
        resamples: Bootstrap resamples of the confidence intervals.
        retrieval: True to measure retrieval as well.
        images: The images of ``data``, if they are already on the encoder's device.
        metrics: Names of metrics from outside to measure as well.

    Raises:
        UserError: If the split is ``train`` or has fewer than two images, or a metric from outside fails.
    """
    encoded = encode_split(encoder, data, split, images=images)
    predicted = encoded.probed(budget, seed) if encoded.finite else {}
    return summarise(encoded, predicted, seed=seed, resamples=resamples, retrieval=retrieval, metrics=metrics)


def summarise(
    encoded: EncodedSplit,
    predicted: Mapping[str, Tensor],
    *,
    seed: int,
    resamples: int = 1000,
    retrieval: bool = True,
    metrics: Sequence[str] = (),
) -> Report:
    """Compare the predictions of probes with the labels; see :func:`evaluate_encoder`.

    Args:
        encoded: Codes and labels.
        predicted: Predictions for the scored split, as `Probes.predict` returns them; unused if a code is not
            finite.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples of the confidence intervals.
        retrieval: True to measure retrieval as well.
        metrics: Names of metrics from outside to measure as well.
    """
    # 1. Check for collapse.
    all_codes = torch.cat([encoded.train_codes, encoded.codes])
    variance, rank = code_variance(all_codes), effective_rank(all_codes)
    infeasible = collapse_reason(variance, rank)
    if not encoded.finite:
        return Report({}, {}, infeasible)
    # 2. Compare the predictions with the labels.
    outcomes = encoded.outcomes(predicted)
    domain = outcomes.pop("domain")
    unmeasured = tuple(name for name, one in {"domain": domain, **outcomes}.items() if one.trivial)
    # 3. Summarise the outcomes as metrics with intervals.
    mean_skill, derived = encoded.mean_skill, encoded.derived
    measured = {"effective_rank": rank, "code_variance": variance}
    measured |= probe_metrics(domain, outcomes, mean_skill, derived)
    intervals = probe_intervals(domain, outcomes, resamples, seed, mean_skill, derived)
    for name in ("invariance", mean_skill):
        if name not in measured and infeasible is None:
            always = f"a constant answer is right for every {encoded.split} image"
            infeasible = f"{name} cannot be measured: {always}"
    if retrieval:
        measured |= _retrieval(all_codes, encoded.train_factors, encoded.factors, encoded.spec)
    # A metric from outside need not be defined for collapsed codes, which do not compete anyway.
    if infeasible is None:
        measured |= measure_outside(metrics, encoded.codes, encoded.factors)
    return Report(measured, intervals, infeasible, unmeasured)


def require_scorable(data: FactorDataset, split: Split) -> None:
    """Refuse a split that cannot be scored.

    Raises:
        UserError: If the split is ``train`` or has fewer than two images.
    """
    n_scored = len(data.indices(split))
    if split == "train":
        raise UserError("split 'train' is used to fit the probes: score 'validation' or 'test' instead")
    if n_scored < 2:
        raise UserError(
            f"split '{split}' of {data.spec.name} has {counted(n_scored, 'image')}; at least 2 are needed"
        )


def factors_of(
    data: FactorDataset, images: Images, train: Indices, scored: Indices, device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, int | None]]:
    """Return the labels of training and scored images, and the number of classes of each factor.

    Factors are the domain, then the attributes in the spec's order, or the appearance if there are none, for
    which the images are read.
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


def classes_of(
    train_factors: Mapping[str, Tensor], factors: Mapping[str, Tensor], spec: DatasetSpec
) -> dict[str, Classes]:
    """Return the classes of the gallery, training images before scored ones, by categorical attribute."""
    return {
        a.name: Classes(
            torch.cat([train_factors[a.name], factors[a.name]]), a.cardinality, a.margin, a.cyclic
        )
        for a in spec.attributes
        if a.cardinality
    }


def _retrieval(
    codes: Tensor, train_factors: Mapping[str, Tensor], factors: Mapping[str, Tensor], spec: DatasetSpec
) -> dict[str, float]:
    """Compute the retrieval metrics; ``codes`` holds those of training images, then of scored images."""
    classes = classes_of(train_factors, factors, spec)
    if not classes:
        return {}
    queries = torch.arange(len(train_factors["domain"]), len(codes), device=codes.device)
    neighbours = nearest_neighbours(codes, queries, max(RECALL_AT))
    return retrieval_metrics(classes, queries, neighbours, RECALL_AT)
