"""The search platform: Ray Tune executes, Optuna searches and records, MLflow shows.

What scripts need is here: ``load_space`` reads a space file, ``run_search`` searches, ``Search`` is a search
that runs or has run, ``load_model`` loads an encoder that one registered. Ray, Optuna, MLflow and PyTorch are
imported where one of them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.results.search import Search
    from tuning.run import run_search
    from tuning.space import load_space
    from tuning.tracking.encoders import load_model

__all__ = ["Search", "load_model", "load_space", "run_search"]

if not TYPE_CHECKING:
    _HOMES = {
        "Search": "tuning.results.search",
        "load_model": "tuning.tracking.encoders",
        "load_space": "tuning.space",
        "run_search": "tuning.run",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
