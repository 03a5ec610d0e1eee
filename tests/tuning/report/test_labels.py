"""Labels that can be read: none on another, none on a point, none outside."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.report.labels import place

FRAME = (0.0, 0.0, 1000.0, 700.0)
GAP = 10.0
Box = tuple[float, float, float, float]


def apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0, 300))
def test_labels_overlap_nothing(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    points = np.clip(rng.normal((500, 350), spread, (n, 2)), (0, 0), FRAME[2:])
    sizes = np.column_stack([rng.uniform(20, 120, n), np.full(n, 16.0)])
    corners = place(points, sizes, FRAME, GAP)
    placed = [
        (*corner, corner[0] + w, corner[1] + h)
        for corner, (w, h) in zip(corners, sizes.tolist(), strict=True)
        if corner is not None
    ]
    assert all(apart(one, other) for one, other in itertools.combinations(placed, 2))
    marks = [(x - GAP, y - GAP, x + GAP, y + GAP) for x, y in points.tolist()]
    assert all(apart(label, mark) for label, mark in itertools.product(placed, marks))
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= FRAME[2] and box[3] <= FRAME[3] for box in placed)


def test_a_lone_label_stands_right_of_its_point() -> None:
    assert place([[500, 350]], [[60, 16]], FRAME, GAP) == [(510.0, 342.0)]


def test_a_label_at_the_right_end_stands_elsewhere() -> None:
    (corner,) = place([[990, 350]], [[60, 16]], FRAME, GAP)
    assert corner is not None
    assert corner[0] + 60 <= 1000


def test_13_points_in_one_place_all_have_their_labels() -> None:
    corners = place(np.full((13, 2), (500, 350)), np.full((13, 2), (110, 16)), FRAME, GAP)
    assert None not in corners


def test_the_first_points_choose_first_and_the_last_may_find_no_room() -> None:
    corners = place([[50, 20]] * 3, [[80, 16]] * 3, (0, 0, 100, 50), 4)
    assert corners[0] is not None
    assert corners[-1] is None


@pytest.mark.parametrize("n", [0, 1])
def test_there_is_a_corner_for_every_point(n: int) -> None:
    assert len(place(np.zeros((n, 2)), np.ones((n, 2)), FRAME, GAP)) == n
