"""Objectives: the metrics that a search can optimise, with their worst and best values.

Every metric that differs between trials can be an objective. The worst value that counts is the reference
from which gains and the hypervolume are measured: a code without information has it, or exceeds it for the
worse. Some references depend on the labels, and those of metrics from outside on their authors:
:mod:`tuning.preflight.reference` adds them.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BeforeValidator

from dcodr.plugins import full_name, is_outside, unknown
from dcodr.strict_yaml import Key, did_you_mean
from tuning.pareto import Direction

EFFECTIVE_RANK = "effective_rank"
OF_CODES = (
    "invariance",
    "informativeness",
    "image_informativeness",
    "domain_accuracy",
    EFFECTIVE_RANK,
    "code_variance",
)
"""Metrics of the code as a whole."""
OF_CLASSES = ("accuracy/", "retrieval_top1/", "retrieval_recall_at_5/", "retrieval_recall_at_10/")
"""Prefixes of metrics of a categorical attribute; those of retrieval exist for ``all`` together too."""
OF_NUMBERS = ("error/",)
"""Prefixes of metrics of a continuous attribute, and of the appearance of images without attributes."""
OF_ATTRIBUTES = (*OF_CLASSES, *OF_NUMBERS)
CONSTANT = ("chance/", "error_of_median/", "retrieval_ceiling/")
"""Prefixes of metrics of the labels alone, which are the same for all trials."""


def _full(name: object) -> object:
    """Return the full name of a metric that a package announces by a short name; other names unchanged."""
    if not isinstance(name, str) or name in OF_CODES or "/" in name:
        return name
    return full_name("metrics", name)


Objective = Annotated[str, BeforeValidator(_full)]
"""The name of an objective; :func:`wrong_objectives` checks it."""


def wrong_objectives(objectives: Iterable[str], preference: Iterable[str]) -> Iterator[tuple[Key, str]]:
    """Yield objectives without measurable gains and preferences for no objectives, with their places."""
    objectives = list(objectives)
    for name in objectives:
        if name.startswith(CONSTANT):
            yield ("objectives", name), "cannot be an objective: it is the same for all trials"
        elif name not in OF_CODES and not name.startswith(OF_ATTRIBUTES) and not is_outside(name):
            allowed = [*OF_CODES, *(f"{kind}NAME" for kind in OF_ATTRIBUTES)]
            yield ("objectives", name), f"cannot be an objective{unknown('metrics', name, allowed)}"
    for name in preference:
        if name not in objectives:
            yield ("search", "preference", name), f"is not an objective{did_you_mean(name, objectives)}"


def worst(name: str, direction: Direction, code_dim: int) -> float:
    """Return the reference of an objective, as far as it depends on neither labels nor other packages.

    ``code_dim`` is the largest width of a code in the space.
    """
    if name == EFFECTIVE_RANK:  # of codes along one line, and of codes that fill all dimensions evenly
        return 1.0 if direction == "maximize" else float(code_dim)
    return 0.0 if direction == "maximize" else 1.0


def perfect(name: str, direction: Direction) -> float:
    """Return the best possible value of an objective; infinite if none is known."""
    if direction == "minimize":
        return -math.inf if is_outside(name) else 1.0 if name == EFFECTIVE_RANK else 0.0
    unbounded = is_outside(name) or name == EFFECTIVE_RANK or name.startswith(OF_NUMBERS)
    return math.inf if unbounded else 1.0
