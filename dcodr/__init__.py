"""DCoDR: codes that are invariant to a labelled domain and informative of all else.

Kahana & Hoshen, "A Contrastive Objective for Learning Disentangled Representations", ECCV 2022,
https://arxiv.org/abs/2203.11284.

What scripts need is here: ``fit`` trains a config, ``load`` reads the trained encoder back, ``evaluate``
measures its codes. PyTorch is imported where one of them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcodr.training.trained import evaluate, load
    from dcodr.training.trainer import fit

__all__ = ["evaluate", "fit", "load"]

if not TYPE_CHECKING:
    _HOMES = {
        "evaluate": "dcodr.training.trained",
        "fit": "dcodr.training.trainer",
        "load": "dcodr.training.trained",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
