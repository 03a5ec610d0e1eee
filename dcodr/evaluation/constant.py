"""Metrics of codes without information, which need no codes."""

import torch

from dcodr.data.dataset import FactorDataset, Split
from dcodr.evaluation.metrics import categorical_outcome, continuous_outcome
from dcodr.evaluation.report import RECALL_AT, classes_of, factors_of
from dcodr.evaluation.retrieval import random_metrics


def uninformed_metrics(data: FactorDataset, split: Split) -> dict[str, float]:
    """Return the metrics of codes without information on the images of a split.

    Probes then give the best constant answer: the most frequent class or the median of the training images.
    The neighbours are random images.

    Args:
        data: Labels; of images without attributes also the images.
        split: The split to score, with at least one image.

    Returns:
        ``domain_accuracy``, ``accuracy/<name>`` of each categorical attribute, ``error/<name>`` of each
        continuous one or ``error/appearance``, and those of retrieval, as in ``report.evaluate_encoder``.
    """
    train, scored = data.indices("train"), data.indices(split)
    cpu = torch.device("cpu")
    train_factors, factors, n_classes = factors_of(data, data.images, train, scored, cpu)
    metrics = {}
    for name, actual in factors.items():
        continuous = n_classes[name] is None
        outcome = continuous_outcome if continuous else categorical_outcome
        # Only the constant answer's outcome is used, so any prediction will do.
        answer = outcome(actual[None], actual, train_factors[name]).constant.mean().item()
        kind = "error" if continuous else "accuracy"
        metrics["domain_accuracy" if name == "domain" else f"{kind}/{name}"] = answer
    classes = classes_of(train_factors, factors, data.spec)
    if classes:
        queries = torch.arange(len(train), len(train) + len(scored))
        metrics |= random_metrics(classes, queries, RECALL_AT)
    return metrics
