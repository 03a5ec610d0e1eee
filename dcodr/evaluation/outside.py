"""Metrics from outside: a number from codes and labels, with a direction and a reference."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from dcodr import plugins
from dcodr.errors import UserError

Measure = Callable[[Tensor, Mapping[str, Tensor]], float]
"""Takes codes ``(n, d)``, float32 of length 1, and labels by factor, and returns a finite number. The factors
are ``domain`` and the attributes, each ``(n,)`` class ids or ``(n, K)`` values."""


@dataclass(frozen=True)
class Metric:
    """A metric of the codes of the scored images; see :func:`metric`.

    Attributes:
        measure: The function.
        direction: Whether larger or smaller values are better.
        reference: The worst value that counts, e.g. that of codes without information. A search measures
            gains and the hypervolume from it.
    """

    measure: Measure
    direction: Literal["maximize", "minimize"]
    reference: float

    def __call__(self, codes: Tensor, labels: Mapping[str, Tensor]) -> float:
        """Measure codes."""
        return self.measure(codes, labels)


def metric(direction: Literal["maximize", "minimize"], reference: float) -> Callable[[Measure], Metric]:
    """Make a metric of a function; used as a decorator.

    Example:
        >>> @metric("minimize", reference=1.0)
        ... def mean_length(codes, labels):
        ...     return codes.mean(dim=0).norm().item()
        >>> mean_length.reference
        1.0

    Args:
        direction: Whether larger or smaller values are better.
        reference: The worst value that counts.
    """
    return lambda measure: Metric(measure, direction, reference)


def load_metric(name: str) -> Metric:
    """Return a metric from outside.

    Raises:
        UserError: If its package is not allowed, or the name is not that of a metric.
    """
    found = plugins.load(name, "metrics")
    if not isinstance(found, Metric):
        raise UserError(f"metrics: {name} should be a function under @dcodr.evaluation.outside.metric(...)")
    if found.direction not in ("maximize", "minimize") or not math.isfinite(found.reference):
        raise UserError(f"metrics: {name}: direction is maximize or minimize, reference a finite number")
    return found


def measure_outside(names: Sequence[str], codes: Tensor, labels: Mapping[str, Tensor]) -> dict[str, float]:
    """Measure metrics from outside; return their values by name.

    Args:
        names: Their names.
        codes: ``(n, d)`` codes of the scored images.
        labels: Labels by factor, the domain first; see :data:`Measure`.

    Raises:
        UserError: If a metric cannot be loaded, fails, or is not a finite number.
    """
    return {name: _measured(name, codes, labels) for name in names}


def _measured(name: str, codes: Tensor, labels: Mapping[str, Tensor]) -> float:
    found = load_metric(name)
    try:
        value = float(found(codes, labels))
    except Exception as error:  # a metric of another author can raise anything
        raise UserError(f"metrics: {name} failed: {plugins.told(error)}") from error
    if not math.isfinite(value):
        raise UserError(f"metrics: {name} returned {value}; should be a finite number")
    return value
