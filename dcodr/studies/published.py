"""Published invariance of autoencoders (supplement, section 1.3, Table 2)."""

from collections.abc import Mapping
from typing import NamedTuple

from dcodr.augmentations.names import PAPER_13


class Measures(NamedTuple):
    """Changes of an autoencoder's outputs under an augmentation; both are small if it is invariant.

    Attributes:
        f_norm: Distance of the two outputs, in units of the distance of the two inputs.
        f_unnorm: Distance of the two outputs.
    """

    f_norm: float
    f_unnorm: float


COLUMNS = ("augmentation", *Measures._fields)
"""Columns of a study's results file, which a search's ``warm_start.ranking`` reads."""

_TABLE_2 = {
    "cars3d": (
        (0.861, 0.853, 1.231, 0.749, 1.118, 0.728, 0.479, 0.957, 0.808, 0.355, 0.312, 0.337, 0.080),
        (
            *(0.1212, 0.1991, 0.0710, 0.1978, 0.0725, 0.1994, 0.2658),
            *(0.0479, 0.1683, 0.0372, 0.0356, 0.0095, 0.0111),
        ),
    ),
    "edges2shoes": (
        (0.868, 0.770, 3.537, 1.098, 1.015, 0.884, 0.734, 0.939, 0.830, 1.188, 0.454, 0.768, 0.180),
        (
            *(0.3387, 0.3458, 0.1442, 0.2265, 0.0829, 0.1994, 0.4116),
            *(0.0502, 0.2096, 0.0956, 0.0499, 0.0243, 0.0196),
        ),
    ),
    "celeba": (
        (0.876, 0.751, 0.756, 0.429, 0.496, 0.776, 0.736, 0.464, 0.889, 0.875, 0.534, 0.632, 0.055),
        (
            *(0.2869, 0.3925, 0.0557, 0.0755, 0.1507, 0.1968, 0.4675),
            *(0.0729, 0.2380, 0.0950, 0.0862, 0.0445, 0.0071),
        ),
    ),
}

AUTOENCODER: Mapping[str, Mapping[str, Measures]] = {
    dataset: {
        name: Measures(f_norm, f_unnorm) for name, f_norm, f_unnorm in zip(PAPER_13, *columns, strict=True)
    }
    for dataset, columns in _TABLE_2.items()
}
"""The measures by dataset and augmentation."""
