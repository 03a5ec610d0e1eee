"""Versions of the packages that metrics depend on."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from dcodr import plugins

PACKAGES = ("dcodr-tuning", "torch", "torchvision", "timm", "numpy", "optuna", "ray")


def versions() -> dict[str, str]:
    """Return the versions of Python and of installed packages, also of those that ``--plugins`` allows."""
    names = [*PACKAGES, *plugins.distributions()]
    known = {name: version for name in names if (version := _version(name)) is not None}
    return {"python": platform.python_version(), **known}


def others(recorded: Mapping[str, Any]) -> list[str]:
    """Return words on each recorded version that is another one here, e.g. ``torch 2.14.0 (here 2.15.0)``."""
    here = versions()
    return [
        f"{name} {version} (here {here.get(name, 'none')})"
        for name, version in recorded.items()
        if here.get(name) != version
    ]


def _version(name: str) -> str | None:
    """Return the version of a distribution; ``None`` if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
