"""The kinds of searched parameters: numbers, choices, and subsets."""

import math
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dcodr.config import require_augmentations
from dcodr.strict_yaml import StrictModel

Scalar = bool | int | float | str


class FloatParam(StrictModel):
    """A real number between two bounds, both included."""

    type: Literal["float"]
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    log: bool = False
    """Whether to search on a logarithmic scale."""
    step: float | None = Field(default=None, gt=0)
    """Distance of allowed values from ``low`` on."""

    @model_validator(mode="after")
    def _check(self) -> "FloatParam":
        _check_range(self.low, self.high, self.log, self.step)
        return self

    def allows(self, value: object) -> bool:
        """Whether the range holds a value."""
        return isinstance(value, (int, float)) and _in_range(value, self.low, self.high, self.step)


class IntParam(StrictModel):
    """A whole number between two bounds, both included."""

    type: Literal["int"]
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    log: bool = False
    """Whether to search on a logarithmic scale."""
    step: int | None = Field(default=None, gt=0)
    """Distance of allowed values from ``low`` on."""

    @model_validator(mode="after")
    def _check(self) -> "IntParam":
        _check_range(self.low, self.high, self.log, self.step)
        return self

    def allows(self, value: object) -> bool:
        """Whether the range holds a value."""
        return isinstance(value, int) and _in_range(value, self.low, self.high, self.step)


class CategoricalParam(StrictModel):
    """One of several values."""

    type: Literal["categorical"]
    choices: Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1)]
    """The values."""

    @model_validator(mode="after")
    def _check(self) -> "CategoricalParam":
        if len({(type(choice), choice) for choice in self.choices}) < len(self.choices):
            raise ValueError(f"choices has the same value twice: {list(self.choices)}")
        return self

    def allows(self, value: object) -> bool:
        """Whether the value is one of the choices."""
        return value in self.choices


class SubsetParam(StrictModel):
    """A set of members, e.g. of augmentations."""

    type: Literal["subset"]
    members: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """What may be in the set."""
    min_size: int = Field(default=1, ge=1)
    """Fewest members of a set."""
    max_size: int | None = Field(default=None, ge=1)
    """Most members of a set; ``null`` is all."""

    @model_validator(mode="after")
    def _check(self) -> "SubsetParam":
        try:
            require_augmentations(self.members)
        except ValueError as error:
            raise ValueError(f"members: {error}") from None
        if not self.min_size <= self.largest <= len(self.members):
            raise ValueError(
                f"sizes from {self.min_size} to {self.largest} do not fit {len(self.members)} members"
            )
        return self

    @property
    def largest(self) -> int:
        """Most members of a set."""
        return len(self.members) if self.max_size is None else self.max_size

    def allows(self, value: object) -> bool:
        """Whether the value is a set of members of an allowed size."""
        if not isinstance(value, (tuple, list)):
            return False
        return set(value) <= set(self.members) and self.min_size <= len(value) <= self.largest


Param = Annotated[FloatParam | IntParam | CategoricalParam | SubsetParam, Field(discriminator="type")]


def _check_range(low: float, high: float, log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"low {low} has no logarithm: with log it must be above 0")
    if step is not None:
        if log:
            raise ValueError("log and step exclude each other")
        if (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)):
            raise ValueError(f"high {high} is not low {low} plus a multiple of step {step}")


def _in_range(value: float, low: float, high: float, step: float | None) -> bool:
    if not low <= value <= high:
        return False
    return step is None or math.isclose((value - low) / step, round((value - low) / step), abs_tol=1e-9)
