"""Points of a space: drawn at random or near another point, and encoded as rows of numbers.

A point is a set of Optuna's parameters (see :mod:`tuning.ledger.encoding`), with the strengths of all
members, chosen or not, and the settings of all methods, used or not.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from dcodr.config import key_parts
from tuning.ledger.encoding import booleans, chosen, distributions, strengths
from tuning.space.params import Param, SubsetParam, used

Point = dict[str, Any]

FLIPS = 2
"""Most members of a subset that change."""
MOVE = 0.25
"""Standard deviation of a number's change, as a share of its range."""
REDRAWN = 0.2
"""Probability that a number or a choice is drawn again."""


class Points:
    """The points of a space.

    Args:
        params: The searched parameters.
    """

    def __init__(self, params: Mapping[str, Param]) -> None:
        self._params = params
        self._subsets = {key: param for key, param in params.items() if isinstance(param, SubsetParam)}
        self._numbers = distributions({key: params[key] for key in params if key not in self._subsets})
        self._strengths = {key: strengths({key: param}) for key, param in self._subsets.items()}
        self._others = self._numbers | strengths(params)

    def draw(self, rng: np.random.Generator) -> Point:
        """Draw a point: numbers and choices uniformly; for a subset first the size, then the members.

        So small sets are as likely as large ones.
        """
        point = {name: _at(of, rng.random()) for name, of in self._others.items()}
        for key, param in self._subsets.items():
            point |= booleans(key, param, param.draw(rng))
        return point

    def numbers(self, rng: np.random.Generator) -> Point:
        """Draw all numbers uniformly, strengths among them, but neither choices nor subsets."""
        return {
            name: _at(of, rng.random())
            for name, of in self._others.items()
            if not isinstance(of, CategoricalDistribution)
        }

    def change(self, point: Mapping[str, Any], rng: np.random.Generator) -> Point:
        """Draw a point near another: change up to two members of each subset and move numbers.

        Inactive parameters of the other point are drawn at random.
        """
        changed = {
            name: _near(of, point[name], rng) if name in point else _at(of, rng.random())
            for name, of in self._others.items()
        }
        known = used(self._params, point)
        for key, param in self._subsets.items():
            members = self._flipped(key, point, rng) if key in known else param.draw(rng)
            changed |= booleans(key, param, members)
        return changed

    def _flipped(self, key: str, point: Mapping[str, Any], rng: np.random.Generator) -> tuple[str, ...]:
        """Return an allowed set near the set of a point."""
        param = self._subsets[key]
        flips = min(int(rng.integers(FLIPS + 1)), len(param.members))
        flipped = {str(member) for member in rng.choice(param.members, flips, replace=False)}
        # The symmetric difference puts a drawn member in or out; the result may break the subset's rules.
        return param.repair(flipped ^ set(chosen(key, param, point)), rng)

    def features(self, points: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
        """Encode points as rows of numbers, ``(n, f)``, so that similar points are close.

        A subset has a column for each member: the share of views that the member makes. A number is its place
        in its range, a choice among numbers its place among them, and any other choice has a column for each
        value. A strength is 0 in the middle of its range, and if its member is not in the set. Parameters
        that a point's method does not use are constant: 0 in all columns of a subset or choice, the middle of
        the range for a number.
        """
        known = [(used(self._params, point), point) for point in points]
        columns: list[list[float]] = []
        for key, param in self._subsets.items():
            sets = [chosen(key, param, point) if key in of else () for of, point in known]
            columns += [[(member in of) / max(len(of), 1) for of in sets] for member in param.members]
            for name, distribution in self._strengths[key].items():
                member = key_parts(name)[1]
                columns.append(
                    [
                        _place(distribution, point[name]) - 0.5 if member in of else 0.0
                        for of, point in zip(sets, points, strict=True)
                    ]
                )
        for name, distribution in self._numbers.items():
            values = [point[name] if name in of else None for of, point in known]
            if isinstance(distribution, CategoricalDistribution) and not _ordered(distribution):
                columns += [[value == choice for value in values] for choice in distribution.choices]
            else:
                columns.append([0.5 if value is None else _place(distribution, value) for value in values])
        rows: npt.NDArray[np.float64] = np.array(columns, dtype=np.float64).T
        return rows


def _at(distribution: BaseDistribution, place: float) -> Any:
    """Return the value at a place from 0 to 1; discrete values have equal shares."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_part(place, len(distribution.choices))]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    elif step is not None:
        value = on_grid(low + step * _part(place, round((high - low) / step) + 1), low, step)
    else:
        value = low + place * (high - low)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value


def on_grid(value: float, low: float, step: float) -> float:
    """Return the nearest number on a grid as a space file writes it: 0.3, not 0.1 + 2 * 0.1."""
    exact = Decimal(str(low)) + round((value - low) / step) * Decimal(str(step))
    return float(exact)


def _part(place: float, n: int) -> int:
    """Return the index of the part, of n equal ones, that contains a place from 0 to 1."""
    return min(int(place * n), n - 1)


def _place(distribution: BaseDistribution, value: float) -> float:
    """Return the place of a number in its range or among its choices, from 0 to 1; 0.5 for a single value."""
    if isinstance(distribution, CategoricalDistribution):
        order = sorted(distribution.choices, key=float)  # type: ignore[arg-type]
        return 0.5 if len(order) == 1 else order.index(value) / (len(order) - 1)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    scale: Callable[[float], float] = math.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    # The logarithms of two neighbouring numbers may be equal.
    return 0.5 if low == high else (scale(value) - low) / (high - low)


def _ordered(distribution: CategoricalDistribution) -> bool:
    """Return whether all choices are numbers."""
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in distribution.choices)


def _near(distribution: BaseDistribution, value: Any, rng: np.random.Generator) -> Any:
    """Draw a value near another."""
    if rng.random() < REDRAWN:
        return _at(distribution, rng.random())
    if isinstance(distribution, CategoricalDistribution):
        return value
    return _at(distribution, float(np.clip(_place(distribution, value) + rng.normal(0, MOVE), 0, 1)))
