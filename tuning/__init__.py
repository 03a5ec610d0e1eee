"""The search platform: Ray Tune executes, Optuna searches and records, MLflow shows.

Scripts need five names: ``load_space`` reads a space file, ``Space`` is a space (``Space.build`` makes one),
``run_search`` runs a search, ``Search`` is a search that runs or has run, ``load_model`` loads an encoder
that a search registered. Ray, Optuna, MLflow and PyTorch are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.results.search import Search
    from tuning.run import run_search
    from tuning.space import Space, load_space
    from tuning.tracking.encoders import load_model

__all__ = ["Search", "Space", "load_model", "load_space", "run_search"]

# The names are imported on first use: importing this package must not import Ray, MLflow or PyTorch.
if not TYPE_CHECKING:
    _HOMES = {
        "Search": "tuning.results.search",
        "Space": "tuning.space",
        "load_model": "tuning.tracking.encoders",
        "load_space": "tuning.space",
        "run_search": "tuning.run",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
