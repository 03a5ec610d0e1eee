"""DCoDR: image codes (embeddings), invariant to a labelled domain and informative about all else.

Kahana & Hoshen, "A Contrastive Objective for Learning Disentangled Representations", ECCV 2022,
https://arxiv.org/abs/2203.11284.

The API for scripts: ``fit`` trains a config, ``load`` reads the trained encoder back, ``evaluate`` measures
its codes, ``judge`` asks several kinds of classifiers. PyTorch is imported when one of them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcodr.training.trained import evaluate, judge, load
    from dcodr.training.trainer import fit

__all__ = ["evaluate", "fit", "judge", "load"]

# Hidden from type checkers, which would accept any attribute of a module with a ``__getattr__``.
if not TYPE_CHECKING:
    _HOMES = {
        "evaluate": "dcodr.training.trained",
        "fit": "dcodr.training.trainer",
        "judge": "dcodr.training.trained",
        "load": "dcodr.training.trained",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
