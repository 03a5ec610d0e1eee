"""Metrics that need no code: those of the best constant answers, from labels alone."""

import torch

from dcodr.data.dataset import FactorDataset, Split
from dcodr.evaluation.metrics import categorical_outcome, continuous_outcome


def constant_figures(data: FactorDataset, split: Split) -> dict[str, float]:
    """Return what the best constant answer to each factor reaches on the images of a split.

    The answer is that of the training images: their most frequent class, or their median.

    Args:
        data: The labels.
        split: The split to score, of one image at least.

    Returns:
        ``chance/<factor>`` of the domain and of each categorical attribute, ``error_of_median/<name>`` of
        each continuous one, as ``report.evaluate`` has them.
    """
    train, scored = data.indices("train"), data.indices(split)
    labels = {"domain": data.domain} | {a.name: data.attributes[a.name] for a in data.spec.attributes}
    continuous = {a.name for a in data.spec.attributes if a.cardinality is None}
    figures = {}
    for name, values in labels.items():
        outcome = continuous_outcome if name in continuous else categorical_outcome
        seen, actual = torch.from_numpy(values[train]), torch.from_numpy(values[scored])
        figure = "error_of_median" if name in continuous else "chance"
        figures[f"{figure}/{name}"] = outcome(actual, actual, seen).constant.mean().item()
    return figures
