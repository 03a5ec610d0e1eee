"""Metrics of the best constant answers, which need only labels, no codes."""

import torch

from dcodr.data.dataset import FactorDataset, Split
from dcodr.evaluation.metrics import categorical_outcome, continuous_outcome


def constant_figures(data: FactorDataset, split: Split) -> dict[str, float]:
    """Return the metrics of the best constant answer to each factor on the images of a split.

    The answer is the most frequent class or the median of the training images.

    Args:
        data: The labels.
        split: The split to score, with at least one image.

    Returns:
        ``chance/<factor>`` of the domain and of each categorical attribute, ``error_of_median/<name>`` of
        each continuous attribute, as in ``report.evaluate_encoder``.
    """
    train, scored = data.indices("train"), data.indices(split)
    labels = {"domain": data.domain} | {a.name: data.attributes[a.name] for a in data.spec.attributes}
    continuous = {a.name for a in data.spec.attributes if a.cardinality is None}
    figures = {}
    for name, values in labels.items():
        outcome = continuous_outcome if name in continuous else categorical_outcome
        seen, actual = torch.from_numpy(values[train]), torch.from_numpy(values[scored])
        figure = "error_of_median" if name in continuous else "chance"
        # Only the constant answer's outcome is used, so any prediction will do.
        figures[f"{figure}/{name}"] = outcome(actual[None], actual, seen).constant.mean().item()
    return figures
