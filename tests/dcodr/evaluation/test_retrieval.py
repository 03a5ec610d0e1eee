"""Retrieval against a naive double loop, with ties, duplicates and cyclic margins."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dcodr.evaluation.retrieval import Classes, matches, n_matches, nearest_neighbours, retrieval_metrics


def random_codes(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))


def naive_neighbours(codes: Tensor, query: int, k: int) -> list[int]:
    others = [other for other in range(len(codes)) if other != query]
    similarity = {o: torch.cosine_similarity(codes[query], codes[o], dim=0).item() for o in others}
    return sorted(others, key=lambda other: -similarity[other])[:k]


def naive_match(attributes: list[Classes], query: int, other: int) -> bool:
    """Tell whether two images match in all attributes, by counting steps from class to class."""
    for attribute in attributes:
        reached = {int(attribute.ids[query])}
        for _ in range(attribute.margin):
            stepped = {start + step for start in reached for step in (-1, 0, 1)}
            reached = {one % attribute.cardinality for one in stepped} if attribute.cyclic else stepped
        if int(attribute.ids[other]) not in reached:
            return False
    return True


@pytest.mark.parametrize("queries", [list(range(30)), [29, 3, 17], list(range(20, 30))])
def test_neighbours_equal_those_of_a_double_loop(queries: list[int]) -> None:
    codes = random_codes(30) * torch.arange(1, 31)[:, None]
    neighbours = nearest_neighbours(codes, torch.tensor(queries), 7)
    assert neighbours.tolist() == [naive_neighbours(codes, query, 7) for query in queries]


@pytest.mark.parametrize("block_size", [1, 7, 40, 64])
def test_block_size_changes_nothing(block_size: int) -> None:
    codes, queries = random_codes(40), torch.arange(3, 40)
    expected = nearest_neighbours(codes, queries, 5)
    assert torch.equal(nearest_neighbours(codes, queries, 5, block_size), expected)


def test_query_is_left_out_by_index_and_its_exact_duplicates_count() -> None:
    codes = random_codes(8).repeat(3, 1)
    neighbours = nearest_neighbours(codes, torch.arange(24), 4, block_size=5)
    for query in range(24):
        assert query not in neighbours[query]
        assert {i % 8 for i in neighbours[query, :2].tolist()} == {query % 8}


def test_equally_near_codes_may_come_in_any_order_but_none_nearer_is_missed() -> None:
    """Codes on the axes have only the similarities 1, 0 and -1, which are exact."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.eye(3)[torch.randint(3, (30,), generator=generator)]
    codes *= torch.randint(2, (30, 1), generator=generator) * 2.0 - 1
    similarity = codes @ codes.T
    neighbours = nearest_neighbours(codes, torch.arange(30), 12)
    for query in range(30):
        found = neighbours[query].tolist()
        expected = [similarity[query, i].item() for i in naive_neighbours(codes, query, 12)]
        assert [similarity[query, i].item() for i in found] == expected
        assert len(set(found)) == 12


def test_no_more_neighbours_are_returned_than_there_are() -> None:
    assert sorted(nearest_neighbours(random_codes(4), torch.tensor([2]), 10)[0].tolist()) == [0, 1, 3]


@pytest.mark.parametrize(
    ("margin", "cyclic", "expected"),
    [
        (0, False, [True, False, False, False, False]),
        (2, False, [True, True, True, False, False]),
        (2, True, [True, True, True, True, False]),
        (3, True, [True, True, True, True, True]),
    ],
)
def test_margin_wraps_around_only_where_the_attribute_is_cyclic(
    margin: int, cyclic: bool, expected: list[bool]
) -> None:
    classes = Classes(torch.tensor([0, 0, 1, 2, 22, 21]), 24, margin, cyclic)
    assert matches(classes, torch.tensor([0]), torch.tensor([[1, 2, 3, 4, 5]]))[0].tolist() == expected


def test_cyclic_distance_equals_the_shorter_way_round() -> None:
    neighbours = torch.arange(7).expand(7, 7)
    for margin in range(4):
        expected = [[min((a - b) % 7, (b - a) % 7) <= margin for b in range(7)] for a in range(7)]
        classes = Classes(torch.arange(7), 7, margin, cyclic=True)
        assert matches(classes, torch.arange(7), neighbours).tolist() == expected


RULES = st.tuples(st.integers(1, 9), st.integers(0, 5), st.booleans())
"""Cardinality, margin, and whether the attribute is cyclic."""


@settings(max_examples=50)
@given(st.data(), st.lists(RULES, min_size=1, max_size=3), st.integers(1, 25))
def test_the_ceiling_equals_that_of_a_double_loop(
    data: st.DataObject, rules: list[tuple[int, int, bool]], n: int
) -> None:
    attributes = [
        Classes(
            torch.tensor(data.draw(st.lists(st.integers(0, cardinality - 1), min_size=n, max_size=n))),
            cardinality,
            margin,
            cyclic,
        )
        for cardinality, margin, cyclic in rules
    ]
    first = data.draw(st.integers(0, n - 1))
    expected = [
        any(naive_match(attributes, query, other) for other in range(n) if other != query)
        for query in range(first, n)
    ]
    assert (n_matches(attributes, torch.arange(first, n)) > 0).tolist() == expected


def test_the_ceiling_of_a_drawn_subset_agrees_with_its_closed_form() -> None:
    """Of 3 copies of each combination a share p is drawn: a query misses both others with (1 - p)^2."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(3 * 120_000, generator=generator)[:90_000] // 3
    sizes = {"floor": 10, "wall": 10, "object": 10, "scale": 8, "orientation": 15}
    attributes, rest = [], drawn
    for cardinality in sizes.values():
        attributes.append(Classes(rest % cardinality, cardinality))
        rest = rest // cardinality
    share = (n_matches(attributes, torch.arange(80_000, 90_000)) > 0).double().mean().item()
    assert share == pytest.approx(1 - (1 - 0.25) ** 2, abs=0.015)


def test_figures_equal_those_of_a_double_loop() -> None:
    generator = torch.Generator().manual_seed(3)
    codes, queries = random_codes(50), torch.arange(30, 50)
    pose = Classes(torch.randint(40, (50,), generator=generator), 40, margin=1, cyclic=True)
    hue = Classes(torch.randint(3, (50,), generator=generator), 3)
    neighbours = nearest_neighbours(codes, queries, 5)
    metrics = retrieval_metrics({"pose": pose, "hue": hue}, queries, neighbours, ks=(1, 5))
    found: dict[str, list[bool]] = {}
    for query in range(30, 50):
        near = naive_neighbours(codes, query, 5)
        for name, attributes in {"pose": [pose], "hue": [hue], "all": [pose, hue]}.items():
            hits = [naive_match(attributes, query, other) for other in near]
            anywhere = [naive_match(attributes, query, other) for other in range(50) if other != query]
            found.setdefault(f"retrieval_top1/{name}", []).append(hits[0])
            found.setdefault(f"retrieval_recall_at_5/{name}", []).append(any(hits))
            found.setdefault(f"retrieval_ceiling/{name}", []).append(any(anywhere))
    assert metrics == {name: pytest.approx(sum(hits) / 20) for name, hits in found.items()}
    assert 0 < metrics["retrieval_ceiling/all"] < metrics["retrieval_ceiling/hue"]
