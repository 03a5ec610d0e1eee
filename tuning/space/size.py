"""The number of configurations of a space."""

import math
from collections.abc import Mapping, Sequence

from dcodr.words import counted
from tuning.space.params import CategoricalParam, Param, Scalar, SubsetParam, used


def describe_size(params: Mapping[str, Param]) -> str:
    """Describe the size of a space, e.g. ``5,811 augmentation sets x 4 continuous settings``."""
    total = n_configurations(params)
    if total is not None:
        return f"{total:,} configurations"
    parts, continuous = [], 0
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            parts.append(f"{param.n_values:,} augmentation sets")
        elif param.n_values is None:
            continuous += 1
        elif param.n_values > 1:
            parts.append(f"{counted(param.n_values, 'value')} of {key}")
    if continuous:
        parts.append(counted(continuous, "continuous setting"))
    product = " x ".join(parts)
    if any(len(used(params, {"method": method})) < len(params) for method in _methods(params)):
        product += ", each searched where the method uses it"
    strengths = sum(
        len(param.strength_params(param.members))
        for param in params.values()
        if isinstance(param, SubsetParam)
    )
    if not strengths:
        return product
    which = "strength that is" if strengths == 1 else "strengths that are"
    return f"{product}, and {strengths} {which} searched where its augmentation is in the set"


def n_configurations(params: Mapping[str, Param]) -> int | None:
    """Return the number of configurations of a space, including strengths; ``None`` for a continuum."""
    methods = _methods(params)
    if methods:
        others = {key: param for key, param in params.items() if key != "method"}
        counts = [n_configurations(used(others, {"method": method})) for method in methods]
        known = [n for n in counts if n is not None]
        return sum(known) if len(known) == len(counts) else None
    total = 1
    for param in params.values():
        n = _n_sets(param) if isinstance(param, SubsetParam) else param.n_values
        if n is None:
            return None
        total *= n
    return total


def _methods(params: Mapping[str, Param]) -> Sequence[Scalar]:
    """Return the searched methods; empty if the method is fixed."""
    method = params.get("method")
    return method.choices if isinstance(method, CategoricalParam) else ()


def _n_sets(param: SubsetParam) -> int | None:
    """Count a subset's sets with every combination of strengths; ``None`` for a continuum."""
    n_strengths = [
        [strength.n_values for strength in param.strength_params([member]).values()]
        for member in param.members
    ]
    if any(n is None for values in n_strengths for n in values):
        return None
    ways = [math.prod(n for n in values if n is not None) for values in n_strengths]
    return sum(math.prod(n for n, inside in zip(ways, row, strict=True) if inside) for row in param.feasible)
