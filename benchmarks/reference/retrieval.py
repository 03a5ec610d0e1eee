"""Retrieval, computed query by query."""

import torch
from torch import Tensor


def nearest_neighbours(codes: Tensor, queries: Tensor, k: int) -> Tensor:
    """Find the ``k`` nearest neighbours of each query, excluding itself, by sorting all distances.

    Args:
        codes: ``(N, d)``, L2-normalised.
        queries: ``(Q,)`` indices of the query codes.
        k: Number of neighbours.

    Returns:
        ``(Q, k)`` int64.
    """
    found = []
    for query in queries:
        distances = (codes - codes[query]).square().sum(dim=1)
        order = distances.argsort()
        found.append(order[order != query][:k])
    return torch.stack(found)
