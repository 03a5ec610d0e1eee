"""Retrieval against a naive double loop, with ties, duplicates and cyclic margins."""

import pytest
import torch
from torch import Tensor

from dcodr.evaluation.retrieval import matches, nearest_neighbours, retrieval_figures


def random_codes(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))


def naive_neighbours(codes: Tensor, query: int, k: int) -> list[int]:
    others = [other for other in range(len(codes)) if other != query]
    similarity = {o: torch.cosine_similarity(codes[query], codes[o], dim=0).item() for o in others}
    return sorted(others, key=lambda other: -similarity[other])[:k]


def test_neighbours_equal_those_of_a_double_loop() -> None:
    codes = random_codes(30) * torch.arange(1, 31)[:, None]
    neighbours = nearest_neighbours(codes, 7)
    assert neighbours.tolist() == [naive_neighbours(codes, query, 7) for query in range(30)]


@pytest.mark.parametrize("block_size", [1, 7, 40, 64])
def test_block_size_changes_nothing(block_size: int) -> None:
    codes = random_codes(40)
    assert torch.equal(nearest_neighbours(codes, 5, block_size), nearest_neighbours(codes, 5))


def test_query_is_left_out_by_index_and_its_exact_duplicates_count() -> None:
    codes = random_codes(8).repeat(3, 1)
    neighbours = nearest_neighbours(codes, 4, block_size=5)
    for query in range(24):
        assert query not in neighbours[query]
        assert {i % 8 for i in neighbours[query, :2].tolist()} == {query % 8}


def test_equally_near_codes_may_come_in_any_order_but_none_nearer_is_missed() -> None:
    """Codes on the axes have only the similarities 1, 0 and -1, which are exact."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.eye(3)[torch.randint(3, (30,), generator=generator)]
    codes *= torch.randint(2, (30, 1), generator=generator) * 2.0 - 1
    similarity = codes @ codes.T
    neighbours = nearest_neighbours(codes, 12)
    for query in range(30):
        found = neighbours[query].tolist()
        expected = [similarity[query, i].item() for i in naive_neighbours(codes, query, 12)]
        assert [similarity[query, i].item() for i in found] == expected
        assert len(set(found)) == 12


def test_no_more_neighbours_are_returned_than_there_are() -> None:
    assert sorted(nearest_neighbours(random_codes(4), 10)[2].tolist()) == [0, 1, 3]


@pytest.mark.parametrize(
    ("margin", "period", "expected"),
    [
        (0, None, [True, False, False, False, False]),
        (2, None, [True, True, True, False, False]),
        (2, 24, [True, True, True, True, False]),
        (3, 24, [True, True, True, True, True]),
    ],
)
def test_margin_wraps_around_only_where_the_attribute_is_cyclic(
    margin: int, period: int | None, expected: list[bool]
) -> None:
    classes = torch.tensor([0, 0, 1, 2, 22, 21])
    neighbours = torch.tensor([[1, 2, 3, 4, 5]] * 6)
    assert matches(classes, neighbours, margin, period)[0].tolist() == expected


def test_cyclic_distance_equals_the_shorter_way_round() -> None:
    classes = torch.arange(7)
    neighbours = torch.arange(7).expand(7, 7)
    for margin in range(4):
        expected = [[min((a - b) % 7, (b - a) % 7) <= margin for b in range(7)] for a in range(7)]
        assert matches(classes, neighbours, margin, period=7).tolist() == expected


def test_figures_equal_those_of_a_double_loop() -> None:
    generator = torch.Generator().manual_seed(3)
    codes = random_codes(50)
    pose, hue = torch.randint(8, (50,), generator=generator), torch.randint(3, (50,), generator=generator)
    neighbours = nearest_neighbours(codes, 5)
    figures = retrieval_figures(
        {"pose": matches(pose, neighbours, margin=1, period=8), "hue": matches(hue, neighbours)}, ks=(1, 5)
    )
    found: dict[str, list[bool]] = {}
    for query in range(50):
        hits = [
            (min((pose[query] - pose[o]) % 8, (pose[o] - pose[query]) % 8) <= 1, hue[query] == hue[o])
            for o in naive_neighbours(codes, query, 5)
        ]
        for name, hit in (
            ("pose", [a for a, _ in hits]),
            ("hue", [b for _, b in hits]),
            ("all", [a and b for a, b in hits]),
        ):
            found.setdefault(f"retrieval_top1/{name}", []).append(bool(hit[0]))
            found.setdefault(f"retrieval_recall_at_5/{name}", []).append(any(hit))
    assert figures == {name: pytest.approx(sum(hits) / 50) for name, hits in found.items()}
