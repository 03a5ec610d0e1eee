"""The kinds of searched parameters: numbers, choices, and subsets."""

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from dcodr.augmentations.names import canonical, require_known
from dcodr.config.methods import has_effect
from dcodr.config.parts import Augmentation
from dcodr.strict_yaml import Key, StrictModel, did_you_mean, mistakes

Scalar = bool | int | float | str


class FloatParam(StrictModel):
    """A real number between two bounds, both included."""

    type: Literal["float"]
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    log: bool = False
    """Search on a logarithmic scale."""
    step: float | None = Field(default=None, gt=0)
    """Distance of allowed values from ``low`` on."""

    @model_validator(mode="after")
    def _check(self) -> "FloatParam":
        _check_range(self.low, self.high, self.log, self.step)
        return self

    def allows(self, value: object) -> bool:
        """Return whether the range contains a value."""
        return isinstance(value, (int, float)) and _in_range(value, self.low, self.high, self.step)

    @property
    def n_values(self) -> int | None:
        """The number of values; ``None`` for a continuum."""
        if self.low == self.high:
            return 1
        return None if self.step is None else round((self.high - self.low) / self.step) + 1


class IntParam(StrictModel):
    """A whole number between two bounds, both included."""

    type: Literal["int"]
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    log: bool = False
    """Search on a logarithmic scale."""
    step: int | None = Field(default=None, gt=0)
    """Distance of allowed values from ``low`` on."""

    @model_validator(mode="after")
    def _check(self) -> "IntParam":
        _check_range(self.low, self.high, self.log, self.step)
        return self

    def allows(self, value: object) -> bool:
        """Return whether the range contains a value."""
        return isinstance(value, int) and _in_range(value, self.low, self.high, self.step)

    @property
    def n_values(self) -> int:
        """The number of values."""
        return (self.high - self.low) // (self.step or 1) + 1


class CategoricalParam(StrictModel):
    """One of several values."""

    type: Literal["categorical"]
    choices: Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1)]
    """The values."""

    @field_validator("choices")
    @classmethod
    def _differ(cls, choices: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        first = {choice: choices.index(choice) for choice in choices}  # 1, 1.0 and True are the same key
        again = [(i, choices[first[choice]]) for i, choice in enumerate(choices) if first[choice] < i]
        if again:
            raise mistakes(((i,), f"is the choice {equal!r} again: remove one") for i, equal in again)
        return choices

    def allows(self, value: object) -> bool:
        """Return whether a value is one of the choices."""
        return value in self.choices

    @property
    def n_values(self) -> int:
        """The number of values."""
        return len(self.choices)


NumberParam = Annotated[FloatParam | IntParam, Field(discriminator="type")]
Members = Annotated[tuple[Augmentation, ...], Field(strict=False)]
Pair = Annotated[Members, Field(min_length=2, max_length=2)]
Group = Annotated[Members, Field(min_length=2)]


class SubsetParam(StrictModel):
    """A set of augmentations."""

    type: Literal["subset"]
    members: Annotated[Members, Field(min_length=1)]
    """Augmentations that may be in the set."""
    min_size: int = Field(default=1, ge=1)
    """Fewest members of a set."""
    max_size: int | None = Field(default=None, ge=1)
    """Most members of a set; ``null`` is all."""
    required: Members = ()
    """Members of every set."""
    excluded: Annotated[tuple[Pair, ...], Field(strict=False)] = ()
    """Pairs that are never in a set together."""
    exclusive: Annotated[tuple[Group, ...], Field(strict=False)] = ()
    """Groups of which a set has at most one member."""
    strengths: dict[Augmentation, dict[str, NumberParam]] = Field(default={})
    """Searched strengths of a member, used if the member is in the set."""

    @field_validator("members")
    @classmethod
    def _known_members(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        require_known(names)
        return canonical(names)

    @model_validator(mode="after")
    def _check(self) -> "SubsetParam":
        if wrong := list(self._wrong_names()):
            raise mistakes(wrong)
        if not self.min_size <= self.largest <= len(self.members):
            raise ValueError(
                f"sizes from {self.min_size} to {self.largest} do not fit {len(self.members)} members"
            )
        if not len(self.feasible):
            raise ValueError(
                f"no set is allowed: sizes from {self.min_size} to {self.largest}, required, excluded and "
                "exclusive contradict each other"
            )
        return self

    def _wrong_names(self) -> Iterator[tuple[Key, str]]:
        """Find rules with names that are no members, or with a name given twice."""
        named: list[tuple[Key, Collection[str]]] = [(("required",), self.required)]
        named += [(("strengths", name), [name]) for name in self.strengths]
        named += [(("excluded", i), pair) for i, pair in enumerate(self.excluded)]
        named += [(("exclusive", i), group) for i, group in enumerate(self.exclusive)]
        for key, names in named:
            for name in names:
                if name not in self.members:
                    yield key, f"{name!r} is not a member{did_you_mean(name, self.members)}"
            for name in {name for name in names if [*names].count(name) > 1}:
                yield key, f"{name} is given twice"

    @property
    def largest(self) -> int:
        """Most members of a set."""
        return len(self.members) if self.max_size is None else self.max_size

    @property
    def feasible(self) -> npt.NDArray[np.bool_]:
        """All allowed sets, ``(n, members)``: in each row the members of the set are true."""
        return self._sets.rows

    def draw(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Draw an allowed set: first its size, then its members, each uniformly."""
        of_size = self._sets.by_size[rng.integers(len(self._sets.by_size))]
        return self._names(of_size[rng.integers(len(of_size))])

    def repair(self, chosen: Collection[str], rng: np.random.Generator) -> tuple[str, ...]:
        """Return the allowed set that differs from ``chosen`` in the fewest members; draw between equals."""
        wanted = np.array([member in chosen for member in self.members])
        if wanted.tobytes() in self._sets.packed:
            return self._names(wanted)
        distance = (self.feasible != wanted).sum(axis=1)
        nearest = self.feasible[distance == distance.min()]
        return self._names(nearest[rng.integers(len(nearest))])

    def allows(self, value: object) -> bool:
        """Return whether a value is an allowed set."""
        if not isinstance(value, (tuple, list)) or not set(value) <= set(self.members):
            return False
        wanted = np.array([member in value for member in self.members])
        return len(set(value)) == len(value) and wanted.tobytes() in self._sets.packed

    def fits(self, chosen: Collection[str]) -> bool:
        """Return whether some allowed set contains all of these members."""
        return bool(self.feasible[:, self._columns(chosen)].all(axis=1).any())

    def strength_params(self, chosen: Collection[str]) -> "dict[str, FloatParam | IntParam]":
        """Return the searched strengths of some members, by dotted key of the config."""
        return {
            f"strengths.{member}.{name}": param
            for member, params in self.strengths.items()
            if member in chosen
            for name, param in params.items()
        }

    @property
    def n_values(self) -> int:
        """The number of allowed sets; strengths are not counted."""
        return len(self.feasible)

    @property
    def _sets(self) -> "_Sets":
        groups = tuple(self._columns(group) for group in (*self.excluded, *self.exclusive))
        sizes = (self.min_size, self.largest)
        return _feasible_sets(len(self.members), sizes, self._columns(self.required), groups)

    def _columns(self, names: Collection[str]) -> tuple[int, ...]:
        return tuple(self.members.index(name) for name in names)

    def _names(self, row: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(member for member, inside in zip(self.members, row, strict=True) if inside)


Param = Annotated[FloatParam | IntParam | CategoricalParam | SubsetParam, Field(discriminator="type")]


def used(params: Mapping[str, Param], values: Mapping[str, Any]) -> Mapping[str, Param]:
    """Return the parameters that a trial's method uses; all parameters if ``method`` is not searched."""
    if "method" not in values:
        return params
    return {key: param for key, param in params.items() if has_effect(key, values["method"])}


@dataclass(frozen=True)
class _Sets:
    """The allowed sets: as rows, as rows of each size, and as the bytes of each row."""

    rows: npt.NDArray[np.bool_]
    by_size: list[npt.NDArray[np.bool_]]
    packed: frozenset[bytes]


# Cached, because a parameter is immutable and its properties ask for the sets again and again.
@lru_cache
def _feasible_sets(
    n: int, sizes: tuple[int, int], required: tuple[int, ...], groups: tuple[tuple[int, ...], ...]
) -> _Sets:
    by_size = []
    for size in range(sizes[0], sizes[1] + 1):
        # Set by set and not all 2^n: a space may have many members, and sets of a few.
        sets = np.array(list(itertools.combinations(range(n), size)), dtype=np.int64)[::-1]
        rows = np.zeros((len(sets), n), dtype=np.bool_)
        np.put_along_axis(rows, sets, True, axis=1)
        allowed = rows[:, required].all(axis=1)
        for group in groups:
            allowed &= rows[:, group].sum(axis=1) <= 1
        by_size += [rows[allowed]] if allowed.any() else []
    rows = np.concatenate([np.zeros((0, n), dtype=np.bool_), *by_size])
    rows = rows[np.lexsort(rows.T[::-1])]
    return _Sets(rows, by_size, frozenset(row.tobytes() for row in rows))


def _check_range(low: float, high: float, log: bool, step: float | None) -> None:
    wrong = []
    if low > high:
        wrong.append(f"low {low} is above high {high}")
    if log and low <= 0:
        wrong.append(f"low {low} has no logarithm: with log it must be above 0")
    if log and step is not None:
        wrong.append("log and step exclude each other")
    elif step is not None and low <= high:
        # Binary floats would leave a rest: 0.3 is not a multiple of 0.1.
        try:
            rest = (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step))
        except InvalidOperation:
            wrong.append(f"step {step} is too small for low {low} and high {high}")
        else:
            if rest:
                wrong.append(f"high {high} is not low {low} plus a multiple of step {step}")
    if wrong:
        raise ValueError("; ".join(wrong))


def _in_range(value: float, low: float, high: float, step: float | None) -> bool:
    if not low <= value <= high:
        return False
    return step is None or math.isclose((value - low) / step, round((value - low) / step), abs_tol=1e-9)
