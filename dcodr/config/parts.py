"""The names of interchangeable parts in a config: ours, or those of parts from outside. Imports no part."""

import re
from collections.abc import Collection
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.config.methods import MethodName
from dcodr.plugins import PATTERN, Kind, full_name, is_outside

LIBRARIES = ("timm", "torchvision")
"""Libraries whose encoders are named ``LIBRARY:NAME``; they need no permission."""


def _outside(name: str) -> str:
    if not is_outside(name):
        raise ValueError("should be package.module:attribute, as Python imports it")
    return name


def _encoder(name: str) -> str:
    library, _, model = name.partition(":")
    if library in LIBRARIES:
        if re.fullmatch(r"[A-Za-z0-9_.]+", model) is None:
            raise ValueError(f"should be {library}:NAME, with letters, digits, _ and . in the name")
        return name
    if not is_outside(name):
        raise ValueError("should be timm:NAME, torchvision:NAME or package.module:factory")
    return name


def _announced(kind: Kind, ours: Collection[str] = ()) -> BeforeValidator:
    """Replace a short name, which a package announces, by the full name; our own names go first."""

    def full(name: object) -> object:
        return full_name(kind, name) if isinstance(name, str) and name not in ours else name

    return BeforeValidator(full)


Outside = Annotated[str, AfterValidator(_outside), WithJsonSchema({"type": "string", "pattern": PATTERN})]
"""The name of a part from outside."""
Arch = (
    Literal["small", "resnet18", "resnet50"]
    | Annotated[str, AfterValidator(_encoder), WithJsonSchema({"type": "string", "pattern": ":"})]
)
Method = Annotated[MethodName | Outside, _announced("methods", get_args(MethodName))]
Metric = Annotated[Outside, _announced("metrics")]
Augmentation = Annotated[str, _announced("augmentations", AUGMENTATIONS)]
SamplerName = Literal["gp", "tpe", "nsga2", "random"]
Sampler = Annotated[SamplerName | Outside, _announced("samplers", get_args(SamplerName))]
OwnSetting = bool | int | float | str
