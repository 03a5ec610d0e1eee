"""Coverage of the attributes by the splits: made by domain, these may leave a rare class out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, Attribute, FactorDataset, Split
from dcodr.words import counted

SCORED: tuple[Split, ...] = ("validation", "test")
NAMED = 3
"""Classes that a warning names."""
FEWEST = 10
"""A skill that rests on fewer images is warned of."""


def trivial_factors(data: FactorDataset, split: Split) -> tuple[str, ...]:
    """Find the factors of which there is nothing to know on a split.

    Of these a constant answer, the most frequent class or the median of the training images, is right for
    every image: no skill can be measured, and the mean over attributes leaves them out.

    Args:
        data: The dataset.
        split: The split that probes are scored on.

    Returns:
        Names of such attributes, before them ``domain`` if the images are all of one domain.
    """
    return tuple(name for name, images in _telling(data, split).items() if not images)


def coverage_warnings(data: FactorDataset) -> list[str]:
    """Say what cannot be measured, and which classes are missing in a split.

    Returns:
        A sentence or two for each factor that is concerned; names classes and their images in each split.
    """
    telling = {split: _telling(data, split) for split in SCORED}
    found = []
    for name, attribute in {"domain": None, **{one.name: one for one in data.spec.attributes}}.items():
        parts = _missing(data, attribute) if attribute is not None and attribute.cardinality else []
        lost = [split for split in SCORED if not telling[split][name]]
        if lost:
            parts.append(
                f"a constant answer is right for every {_listed(lost)} image, so that nothing can be "
                "measured there and no mean counts it"
            )
        parts += [
            f"a constant answer is wrong for only {counted(n, f'{split} image')}, so that the "
            "skill measured there is mostly chance"
            for split in SCORED
            if 0 < (n := telling[split][name]) < FEWEST
        ]
        if parts:
            found.append(f"{name}: {'; '.join(parts)}")
    return found


def _telling(data: FactorDataset, split: Split) -> dict[str, int]:
    """For the domain and each attribute the images of a split for which a constant answer is wrong."""
    train, scored = data.indices("train"), data.indices(split)
    found = {}
    for name, labels in {"domain": data.domain, **data.attributes}.items():
        categorical = labels.ndim == 1
        constant = np.bincount(labels[train]).argmax() if categorical else _median(labels[train])
        wrong = (labels[scored] != constant).reshape(len(scored), -1).any(axis=1)
        found[name] = int(wrong.sum())
    return found


def _median(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The median of each column; of an even number of values the lower one, as ``torch.median``."""
    median: npt.NDArray[Any] = np.quantile(values, 0.5, axis=0, method="lower")
    return median


def _missing(data: FactorDataset, attribute: Attribute) -> list[str]:
    """The rarest classes that have images, but none in some split."""
    assert attribute.cardinality is not None
    labels = data.attributes[attribute.name]
    counts = np.stack(
        [np.bincount(labels[data.indices(split)], minlength=attribute.cardinality) for split in SPLITS]
    )
    missing = np.flatnonzero((counts.sum(axis=0) > 0) & (counts == 0).any(axis=0))
    rarest = missing[counts.sum(axis=0)[missing].argsort(kind="stable")]
    parts = []
    for one in rarest[:NAMED].tolist():
        images = [f"{n} {split}" for n, split in zip(counts[:, one], SPLITS, strict=True)]
        parts.append(
            f"class {attribute.classes[one] if attribute.classes else one} has {_listed(images)} images"
        )
    if len(rarest) > NAMED:
        parts.append(f"{len(rarest) - NAMED} more classes have none in some split")
    return parts


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
