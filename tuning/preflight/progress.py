"""Forecast of a search's progress, from simulated searches of recorded trainings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dcodr.words import counted


@dataclass(frozen=True)
class Recorded:
    """Searches of one record with ``sampler: gp`` and Pareto ASHA.

    Attributes:
        name: The dataset.
        epochs: Epochs of a whole training.
        after: Epochs, as a number of whole trainings, after which half of the searches had found a share of
            the best known hypervolume, by number of trials at a time and share.
    """

    name: str
    epochs: int
    after: Mapping[int, Mapping[str, int]]


RECORDED = (
    Recorded(
        "the embedded dataset",
        4,
        {
            1: {"90 %": 14, "95 %": 29, "98 %": 71},
            8: {"90 %": 16, "95 %": 37, "98 %": 75},
            64: {"90 %": 57, "95 %": 78, "98 %": 128},
        },
    ),
    Recorded(
        "Cars3D",
        12,
        {
            1: {"90 %": 14, "95 %": 71},
            8: {"90 %": 18, "95 %": 67},
            64: {"90 %": 63, "95 %": 120},
        },
    ),
)
"""From ``benchmarks.search_efficiency.compare`` on both records, see docs/search-efficiency.md."""


def forecast(at_once: int, epochs: int, trainings: float) -> str:
    """Compare a search with the searches of the record whose trainings are nearest in length.

    Args:
        at_once: Number of trials at a time.
        epochs: Epochs of a whole training.
        trainings: Expected epochs of all trials, as a number of whole trainings.
    """
    record = min(RECORDED, key=lambda one: abs(math.log(one.epochs / epochs)))
    known = min(record.after, key=lambda n: abs(math.log(n / at_once)))
    (share, cost), *more = record.after[known].items()
    others = "".join(f", {share} after {cost}" for share, cost in more)
    return (
        f"as many epochs as {counted(max(1, round(trainings)), 'whole training')}. On recorded trainings of "
        f"{record.name}, of {record.epochs} epochs, half of the searches with {counted(known, 'trial')} at a "
        f"time had found {share} of the best known hypervolume after {cost} whole trainings{others}"
    )
