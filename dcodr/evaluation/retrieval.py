"""Retrieval: do the images nearest to an image in the space of codes share its attributes?

Every image of the scored split is a query once, and all others are its gallery, as in the paper. Unlike the
official implementation, which drops the nearest image because it takes it for the query, the query is left
out by its index: exact duplicates of it count. Continuous attributes have no matches and take no part.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCK_ELEMENTS = 2**24


def nearest_neighbours(codes: Tensor, k: int, block_size: int | None = None) -> Tensor:
    """Find the codes of highest cosine similarity to each code, itself left out.

    Args:
        codes: ``(N, d)`` codes.
        k: Number of neighbours; at most ``N - 1`` are returned.
        block_size: Queries compared at a time; by default so many that a block of similarities takes 64 MiB.

    Returns:
        ``(N, min(k, N - 1))`` int64 indices, nearest first; the order of equally near codes is arbitrary.
    """
    codes = F.normalize(codes, dim=1)
    block_size = block_size or max(1, _BLOCK_ELEMENTS // len(codes))
    neighbours = []
    for start in range(0, len(codes), block_size):
        similarity = codes[start : start + block_size] @ codes.T
        similarity.diagonal(start).fill_(-torch.inf)
        neighbours.append(similarity.topk(min(k, len(codes) - 1)).indices)
    return torch.cat(neighbours)


def matches(classes: Tensor, neighbours: Tensor, margin: int = 0, period: int | None = None) -> Tensor:
    """Tell which neighbours have the class of their query, or one within a margin of it.

    Args:
        classes: ``(N,)`` class id of each image.
        neighbours: ``(N, k)`` indices of each image's neighbours.
        margin: Largest distance of class ids that still counts as a match.
        period: Number of classes of a cyclic attribute, whose last class is next to its first; ``None``
            otherwise.

    Returns:
        ``(N, k)`` bool.
    """
    distance = (classes[neighbours] - classes[:, None]).abs()
    if period is not None:
        distance = torch.minimum(distance, period - distance)
    return distance <= margin


def retrieval_figures(attributes: Mapping[str, Tensor], ks: Sequence[int]) -> dict[str, float]:
    """Summarise matches, for each attribute and for all of them together.

    Args:
        attributes: For each attribute ``(N, k)`` bool, as ``matches`` returns it.
        ks: Numbers of nearest neighbours among which a match is sought.

    Returns:
        ``retrieval_top1/<name>``, the share of queries whose nearest neighbour matches, and
        ``retrieval_recall_at_<k>/<name>``, the share with a match among the first ``k``; the name ``all``
        stands for neighbours that match in every attribute.
    """
    together = torch.stack(list(attributes.values())).all(dim=0)
    figures = {}
    for name, matching in {**attributes, "all": together}.items():
        for k in ks:
            figure = f"retrieval_top1/{name}" if k == 1 else f"retrieval_recall_at_{k}/{name}"
            figures[figure] = matching[:, :k].any(dim=1).double().mean().item()
    return figures
