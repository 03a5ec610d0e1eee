"""Coverage of the attributes by the splits. Splits are stratified by domain and may miss a rare class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, Attribute, FactorDataset, Split
from dcodr.words import counted

SCORED: tuple[Split, ...] = ("validation", "test")
NAMED = 3
"""Number of classes that a warning names."""
FEWEST = 10
"""Smallest number of images for a skill without a warning."""


def trivial_factors(data: FactorDataset, split: Split) -> tuple[str, ...]:
    """Return the factors that cannot be measured on a split: attributes, after ``domain`` if it is one.

    For these factors a constant answer, the most frequent class or the median of the training images, is
    right for every image. No skill can be measured, and the mean over attributes excludes them.
    """
    return tuple(name for name, images in _telling(data, split).items() if not images)


def coverage_warnings(data: FactorDataset) -> list[str]:
    """Describe each factor that cannot be measured, or whose classes a split lacks, with their images."""
    telling = {split: _telling(data, split) for split in SCORED}
    found = []
    for name, attribute in {"domain": None, **{one.name: one for one in data.spec.attributes}}.items():
        parts = _missing(data, attribute) if attribute is not None and attribute.cardinality else []
        lost = [split for split in SCORED if not telling[split][name]]
        if lost:
            parts.append(
                f"a constant answer is right for every {_listed(lost)} image, so it cannot be "
                "measured there and no mean includes it"
            )
        parts += [
            f"a constant answer is wrong for only {counted(n, f'{split} image')}, so the "
            "skill measured there is mostly chance"
            for split in SCORED
            if 0 < (n := telling[split][name]) < FEWEST
        ]
        if parts:
            found.append(f"{name}: {'; '.join(parts)}")
    return found


def _telling(data: FactorDataset, split: Split) -> dict[str, int]:
    """Count, for the domain and each attribute, the images of a split with a wrong constant answer."""
    train, scored = data.indices("train"), data.indices(split)
    found = {}
    for name, labels in {"domain": data.domain, **data.attributes}.items():
        categorical = labels.ndim == 1
        # The constant answer comes from the training images, as for the probes.
        constant = np.bincount(labels[train]).argmax() if categorical else _median(labels[train])
        wrong = (labels[scored] != constant).reshape(len(scored), -1).any(axis=1)
        found[name] = int(wrong.sum())
    return found


def _median(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the median of each column; of an even number of values the lower one, as ``torch.median``."""
    median: npt.NDArray[Any] = np.quantile(values, 0.5, axis=0, method="lower")
    return median


def _missing(data: FactorDataset, attribute: Attribute) -> list[str]:
    """Describe the rarest classes that have images but none in some split."""
    assert attribute.cardinality is not None
    labels = data.attributes[attribute.name]
    counts = np.stack(
        [np.bincount(labels[data.indices(split)], minlength=attribute.cardinality) for split in SPLITS]
    )
    missing = np.flatnonzero((counts.sum(axis=0) > 0) & (counts == 0).any(axis=0))
    # The rarest classes first; a stable order keeps the ids of equally rare classes ascending.
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
