"""The choice of images to prepare: those of large domains, a stratified draw."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcodr.data.sources.choice import draw, of_large_domains
from dcodr.errors import UserError


def domains(counts: list[int], seed: int = 0) -> list[str]:
    names = [f"d{i}" for i, n in enumerate(counts) for _ in range(n)]
    return [names[row] for row in np.random.default_rng(seed).permutation(len(names))]


def test_small_domains_are_dropped_and_counted() -> None:
    names = domains([30, 5, 20, 4, 1])
    kept, said = of_large_domains(names, 20)
    assert kept == [row for row, name in enumerate(names) if name in ("d0", "d2")]
    assert said == "3 domains of fewer than 20 images, with 10 images in all"
    assert of_large_domains(names, 1) == (list(range(60)), "0 domains of fewer than 1 image")


@pytest.mark.parametrize(("least", "left"), [(21, "1 domain"), (31, "0 domains")])
def test_fewer_than_two_domains_are_refused(least: int, left: str) -> None:
    with pytest.raises(UserError, match=rf"{left} of 5, but at least 2 .* largest domain has 30 images"):
        of_large_domains(domains([30, 5, 20, 4, 1]), least)


@given(
    counts=st.lists(st.integers(2, 200), min_size=2, max_size=12),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_a_draw_keeps_the_proportions_of_the_domains(counts: list[int], share: float, seed: int) -> None:
    names = domains(counts)
    least, total = 2 * len(counts), len(names)
    asked = least + int(share * (total - least))
    rows, said = draw(names, asked, seed)
    assert rows == sorted(set(rows))
    assert len(rows) == asked
    if asked < total:
        assert f"{asked:,} of {total:,} images, drawn with seed {seed} " in said
    drawn = Counter(names[row] for row in rows)
    lifted = [i for i, n in enumerate(counts) if asked * n < 2 * total]
    for i, n in enumerate(counts):
        assert 2 <= drawn[f"d{i}"] <= n
        # If every domain's share is two images or more, each gets its share, rounded.
        if not lifted:
            assert abs(drawn[f"d{i}"] - asked * n / total) < 1
    # A larger domain never gets fewer, but for rounding.
    order = np.argsort(counts)
    sizes = [drawn[f"d{i}"] for i in order]
    assert all(after >= before - 1 for before, after in pairwise(sizes))


def test_the_seed_decides_the_draw() -> None:
    names = domains([50, 50])
    assert draw(names, 20, 1) == draw(names, 20, 1)
    assert draw(names, 20, 1)[0] != draw(names, 20, 2)[0]
    assert draw(names, 500, 1) == (list(range(100)), "all 100 images, no more than the 500 asked for")


def test_too_small_a_draw_is_refused() -> None:
    with pytest.raises(UserError, match=r"subsample=9: 5 domains need at least 2 images each, 10 in all"):
        draw(domains([30, 5, 20, 4, 2]), 9, 0)
