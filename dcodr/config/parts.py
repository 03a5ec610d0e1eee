"""The names of interchangeable parts in a config: ours, or those of parts from outside. Imports no part."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, get_args

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.config.methods import MethodName
from dcodr.plugins import Kind, full_name, is_outside

METHODS: tuple[str, ...] = get_args(MethodName)
ARCHS = ("small", "resnet18", "resnet50")
SAMPLERS = ("gp", "tpe", "nsga2", "random")
LIBRARIES = ("timm", "torchvision")
"""Libraries whose encoders are named ``LIBRARY:NAME``; they need no permission."""


def _announced(kind: Kind, ours: Sequence[str] = ()) -> BeforeValidator:
    """Replace a short name, which a package announces, by the full name; our own names go first."""

    def full(name: object) -> object:
        return full_name(kind, name) if isinstance(name, str) and name not in ours else name

    return BeforeValidator(full)


def _known(ours: Sequence[str], form: str, fits: Callable[[str], bool]) -> AfterValidator:
    """Accept our names, and names of a form."""
    listed = ", ".join([*map(repr, ours), form])

    def check(name: str) -> str:
        if name not in ours and not fits(name):
            raise ValueError(f"should be {listed}")
        return name

    return AfterValidator(check)


def _schema(ours: Sequence[str]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"enum": list(ours)}, {"type": "string", "pattern": ":"}]})


def of_library(name: str) -> bool:
    """Tell whether an encoder is that of a library."""
    library, _, model = name.partition(":")
    return library in LIBRARIES and re.fullmatch(r"[A-Za-z0-9_.]+", model) is not None


def _encoder(name: str) -> bool:
    return of_library(name) or (is_outside(name) and name.partition(":")[0] not in LIBRARIES)


_ENCODERS = "timm:NAME, torchvision:NAME or package.module:factory"
_CLASS = "or package.module:Class"
Arch = Annotated[str, _known(ARCHS, _ENCODERS, _encoder), _schema(ARCHS)]
Method = Annotated[str, _announced("methods", METHODS), _known(METHODS, _CLASS, is_outside), _schema(METHODS)]
Sampler = Annotated[
    str, _announced("samplers", SAMPLERS), _known(SAMPLERS, _CLASS, is_outside), _schema(SAMPLERS)
]
Metric = Annotated[str, _announced("metrics"), _known((), "package.module:name", is_outside)]
Augmentation = Annotated[str, _announced("augmentations", AUGMENTATIONS)]
OwnSetting = bool | int | float | str
