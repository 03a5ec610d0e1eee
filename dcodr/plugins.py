"""Parts from outside: named as ``package.module:attribute``, run only where this machine allows the package.

A space, a config or a checkpoint may come from somebody else, and may name a part. The name alone runs
nothing. The package must be allowed by the option ``--plugins`` or by the environment variable
``DCODR_PLUGINS`` of this machine. Without that, names are only checked against the syntax.
"""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Iterable
from importlib.metadata import entry_points, packages_distributions
from typing import Any, Literal

from dcodr.errors import UserError
from dcodr.strict_yaml import did_you_mean
from dcodr.words import for_reader, option

ENVIRONMENT = "DCODR_PLUGINS"
"""Environment variable with the allowed packages, separated by commas. Worker processes receive it too."""
Kind = Literal["augmentations", "methods", "metrics", "samplers"]
"""Kinds of parts that packages can announce by name, as entry points of the group ``dcodr.<kind>``."""

_WORD = "[A-Za-z_][A-Za-z0-9_]*"
PATTERN = rf"^{_WORD}(\.{_WORD})*:{_WORD}$"
"""The syntax of the name of a part from outside, e.g. ``mypackage.noise:speckle``."""


def is_outside(name: object) -> bool:
    """Tell whether a name is that of a part from outside, by its syntax."""
    return isinstance(name, str) and re.fullmatch(PATTERN, name) is not None


def allow(packages: Iterable[str]) -> None:
    """Allow packages to run in this process and in those that it starts, besides those allowed before.

    Raises:
        UserError: If a name is not that of an installed package, or belongs to Python itself.
    """
    new = list(packages)
    for name in new:
        asked = option("plugins", name, python="packages")
        if not (name.isidentifier() and name.isascii()):
            raise UserError(f"{asked}: should be the name of a package as Python imports it")
        if name in sys.stdlib_module_names:
            raise UserError(f"{asked}: is a part of Python, not a package with parts")
        if not _installed(name):
            raise UserError(
                f"{asked}: Python finds no such package: install it ('pip install -e FOLDER'), or "
                "set PYTHONPATH to the folder that holds it"
            )
    if new:
        os.environ[ENVIRONMENT] = ",".join(dict.fromkeys([*allowed(), *new]))


def allowed() -> list[str]:
    """Return the packages that this machine allows."""
    given = (name.strip() for name in os.environ.get(ENVIRONMENT, "").split(","))
    return [name for name in given if name and name not in sys.stdlib_module_names]


def distributions() -> list[str]:
    """Return the names under which pip knows the allowed packages; folders on the path have none."""
    packages = allowed()
    known = packages_distributions() if packages else {}
    return [name for package in packages for name in known.get(package, [])]


def environment() -> dict[str, str]:
    """Return the environment that gives a worker process the same allowed packages."""
    return {ENVIRONMENT: ",".join(allowed())}


def refusal(name: str) -> str | None:
    """Return the reason why a part from outside must not run here, if any; nothing is imported."""
    package = name.partition(":")[0].partition(".")[0]
    if package in allowed():
        return None
    if package in sys.stdlib_module_names:
        return f"{name} is code of Python itself, which is never run for a name in a file"
    how = for_reader(
        f"add {option('plugins', package)} to the command", f"call dcodr.plugins.allow([{package!r}]) before"
    )
    return (
        f"{name} is code of the package {package}, which this machine does not allow: if you trust the "
        f"package, {how} (also when a search resumes), or set {ENVIRONMENT}={package}"
    )


def full_name(kind: Kind, name: str) -> str:
    """Return the full name of a part that a package announces by a short name; other names unchanged.

    Nothing is imported.

    Raises:
        ValueError: If several packages announce parts of this name.
    """
    if ":" in name:
        return name
    found = sorted({full for short, full in _announced(kind) if short == name})
    if len(found) > 1:
        raise ValueError(f"{name!r} is announced by several packages: write {' or '.join(found)}")
    return found[0] if found else name


def unknown(kind: Kind, name: str, ours: Collection[str]) -> str:
    """Return the end of a message about an unknown name: close and allowed names, and the syntax."""
    announced = [short for short, _ in _announced(kind)]
    return f"{did_you_mean(name, [*dict.fromkeys([*ours, *announced])])}, or package.module:attribute"


def load(name: str, setting: str) -> Any:
    """Import a part from outside; the only place that does. Messages name the ``setting``.

    Raises:
        UserError: If the package is not allowed, or has no such part.
    """
    if not is_outside(name):
        raise UserError(f"{setting}: received {name!r}; should be package.module:attribute")
    if (why := refusal(name)) is not None:
        raise UserError(f"{setting}: {why}")
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the module of another author can raise anything
        raise UserError(f"{setting}: {name} cannot be loaded: {told(error)}") from error


def told(error: Exception) -> str:
    """Return the kind and the first line of an exception that code from outside raised."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def _installed(package: str) -> bool:
    """Tell whether Python finds a package; nothing is imported."""
    # Under `python -m`, __main__ has the specification of another module.
    try:
        return package != "__main__" and importlib.util.find_spec(package) is not None
    except ValueError:  # a module without a specification
        return False


def _announced(kind: Kind) -> list[tuple[str, str]]:
    """Return short and full names of the parts that installed packages announce."""
    return [(one.name, one.value) for one in entry_points(group=f"dcodr.{kind}") if is_outside(one.value)]
