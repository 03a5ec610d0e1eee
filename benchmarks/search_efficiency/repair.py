"""A space as searches see it that know neither subsets nor conditions, and their draws as configs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from tuning.ledger.encoding import booleans, decode, distributions, strengths
from tuning.space.params import Param, SubsetParam


def flat(params: Mapping[str, Param]) -> dict[str, BaseDistribution]:
    """Return one distribution for each number, choice, member of a subset, and strength of a member.

    The strength of a member that is not in the set is searched as well, without effect.
    """
    return distributions(params) | strengths(params)


def repaired(
    params: Mapping[str, Param], drawn: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Decode a draw to a trial's values; a set that breaks the rules is replaced by the nearest allowed one.

    Args:
        params: The searched parameters.
        drawn: A value of each of their :func:`flat` distributions.
        rng: The generator that decides between equally near sets.
    """
    allowed, values = dict(drawn), decode(params, drawn)
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            allowed |= booleans(key, param, param.repair(values[key], rng))
    return decode(params, allowed)
