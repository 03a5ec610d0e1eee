"""Draws of searches that know neither subsets nor conditions, as configs that can be trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuning.ledger.encoding import booleans, decode
from tuning.space.params import Param, SubsetParam


def repaired(
    params: Mapping[str, Param], drawn: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Decode a draw to a trial's values; a set that breaks the rules is replaced by the nearest allowed one.

    Args:
        params: The searched parameters.
        drawn: A value of each of their :func:`tuning.ledger.encoding.flat` distributions.
        rng: The generator that decides between equally near sets.
    """
    allowed, values = dict(drawn), decode(params, drawn)
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            allowed |= booleans(key, param, param.repair(values[key], rng))
    return decode(params, allowed)
