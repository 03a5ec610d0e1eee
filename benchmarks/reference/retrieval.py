"""Retrieval, query by query."""

import torch
from torch import Tensor


def nearest_neighbours(codes: Tensor, k: int, n_queries: int) -> Tensor:
    """The ``k`` nearest to each of the first codes, itself left out, by sorting all distances.

    Args:
        codes: ``(N, d)``, L2-normalised.
        k: Number of neighbours.
        n_queries: How many codes are queries.

    Returns:
        ``(n_queries, k)`` int64.
    """
    found = []
    for query in range(n_queries):
        distances = (codes - codes[query]).square().sum(dim=1)
        order = distances.argsort()
        found.append(order[order != query][:k])
    return torch.stack(found)
