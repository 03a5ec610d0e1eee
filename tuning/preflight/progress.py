"""Forecast of a search's progress, from simulated searches of recorded trainings."""

import math
from collections.abc import Mapping

from dcodr.words import counted

RECORDED: Mapping[int, Mapping[str, int]] = {
    1: {"90 %": 14, "95 %": 29, "98 %": 71},
    8: {"90 %": 16, "95 %": 37, "98 %": 75},
    64: {"90 %": 57, "95 %": 78, "98 %": 128},
}
"""Epochs, as a number of whole trainings, after which half of the searches with ``sampler: gp`` and Pareto
ASHA had found a share of the best known hypervolume, by number of trials at a time. From ``make
bench-search``, see docs/search-efficiency.md."""


def forecast(at_once: int, trainings: float) -> str:
    """Compare a search with recorded ones.

    Args:
        at_once: Number of trials at a time.
        trainings: Expected epochs of all trials, as a number of whole trainings.
    """
    known = min(RECORDED, key=lambda n: abs(math.log(n / at_once)))
    after = ", ".join(f"{share} after {cost}" for share, cost in RECORDED[known].items())
    whole = counted(max(1, round(trainings)), "whole training")
    return (
        f"as many epochs as {whole}. On recorded trainings of the embedded dataset, half of the searches "
        f"with {counted(known, 'trial')} at a time had found 90 % of the best known hypervolume "
        f"{after.removeprefix('90 % ')}"
    )
