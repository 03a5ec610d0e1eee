"""The cut of a rung against its definition, whatever came first."""

from collections.abc import Sequence
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tuning.driver.rung import Rung, Vector
from tuning.pareto import FloatArray

unhurried = settings(deadline=None)


def total(front: FloatArray) -> FloatArray:
    """A merit that is easy to tell: the sum of the objectives."""
    return np.asarray(front.sum(axis=1))


@st.composite
def vectors(draw: st.DrawFn) -> list[Vector]:
    """Vectors on a coarse grid, so that copies, shared values and whole fronts pushed on are common."""
    m = draw(st.integers(2, 4))
    row = st.tuples(*[st.integers(0, draw(st.integers(1, 6))).map(float)] * m)
    return draw(st.lists(row, min_size=1, max_size=30))


def filled(rows: Sequence[Vector]) -> Rung:
    rung = Rung(len(rows[0]), total)
    for number, row in enumerate(rows):
        rung.add(number, row)
    return rung


def peeled(rows: Sequence[Vector]) -> list[list[Vector]]:
    """The fronts, one after the other, by comparing all with all."""
    left, fronts = list(rows), []
    while left:
        front = [
            a
            for a in left
            if not any(b != a and all(y >= x for x, y in zip(a, b, strict=True)) for b in left)
        ]
        fronts.append(sorted(front))
        left = [row for row in left if row not in front]
    return fronts


@unhurried
@given(vectors(), st.sampled_from([1 / 3, 0.5, 0.75, 0.9]))
def test_the_cut_is_numpys_percentile_of_places(rows: list[Vector], share: float) -> None:
    fronts = peeled(rows)
    order = sorted({(-i, sum(row)) for i, front in enumerate(fronts) for row in front})
    place = {row: order.index((-i, sum(row))) for i, front in enumerate(fronts) for row in front}
    *others, own = (place[row] for row in rows)
    expected = bool(others) and own + 1e-9 < np.percentile(others, 100 * share)
    assert filled(rows).behind(rows[-1], share) == expected


@unhurried
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_the_cut_of_one_objective_is_numpys_to_the_last_bit(values: list[float], share: float) -> None:
    rung = filled([(value,) for value in values])
    for i, value in enumerate(values):
        others = [*values[:i], *values[i + 1 :]]
        assert rung.behind((value,), share) == (value < np.quantile(others, share))


@unhurried
@given(vectors(), st.randoms(use_true_random=False))
def test_the_order_in_which_trials_came_leaves_no_trace(rows: list[Vector], random: Random) -> None:
    rung, numbers = Rung(len(rows[0]), total), list(range(len(rows)))
    random.shuffle(numbers)
    for number in numbers:
        rung.add(number, rows[number])
    assert rung == filled(rows)


@pytest.mark.parametrize("rows", [[(i, i) for i in range(99)], [(i, 99 - i) for i in range(99)]])
def test_one_chain_and_one_front(rows: list[Vector]) -> None:
    chain = rows[0][1] == 0
    rung = filled([*rows[::2], *rows[1::2]])
    assert [rung.behind(row, 0.5) for row in rows] == [chain and i < 49 for i in range(99)]
    assert len(rung) == 99
    assert 98 in rung
    assert 99 not in rung
