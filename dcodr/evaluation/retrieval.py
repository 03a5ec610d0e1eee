"""Retrieval: do the images nearest to an image in the space of codes share its attributes?

Every image of the scored split is a query once, and all others are its gallery, as in the paper. Unlike the
official implementation, which drops the nearest image because it takes it for the query, the query is left
out by its index: exact duplicates of it count. Continuous attributes have no matches and take no part.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCK_ELEMENTS = 2**23
_HEAP = 16


def nearest_neighbours(codes: Tensor, k: int, block_size: int | None = None) -> Tensor:
    """Find the codes of highest cosine similarity to each code, itself left out.

    Args:
        codes: ``(N, d)`` codes.
        k: Number of neighbours; at most ``N - 1`` are returned.
        block_size: Queries compared at a time; by default so many that a block of similarities takes 32 MiB.

    Returns:
        ``(N, min(k, N - 1))`` int64 indices, nearest first; the order of equally near codes is arbitrary.
    """
    codes = F.normalize(codes, dim=1)
    n, k = len(codes), min(k, len(codes) - 1)
    gallery = F.pad(codes, (0, 0, 0, -n % _HEAP))
    block_size = block_size or max(1, _BLOCK_ELEMENTS // n)
    neighbours = torch.empty((n, k), dtype=torch.int64, device=codes.device)
    for start in range(0, n, block_size):
        similarity = codes[start : start + block_size] @ gallery.T
        similarity.diagonal(start).fill_(-torch.inf)
        similarity[:, n:] = -torch.inf
        neighbours[start : start + block_size] = _largest(similarity, k)
    return neighbours


def _largest(values: Tensor, k: int) -> Tensor:
    """Indices ``(B, k)`` of the largest of values ``(B, N)``, ``N`` a multiple of ``_HEAP``, largest first.

    The values are dealt to heaps of ``_HEAP``. Those sought lie in the ``k`` heaps whose largest are largest:
    to sort these few takes a fraction of the time.
    """
    heaps = values.view(len(values), _HEAP, -1)
    chosen = heaps.amax(dim=1).topk(min(k, heaps.shape[2])).indices[:, None]
    candidates = heaps.gather(2, chosen.expand(-1, _HEAP, -1)).flatten(1)
    found = candidates.topk(k).indices
    row, column = found // chosen.shape[2], found % chosen.shape[2]
    return row * heaps.shape[2] + chosen[:, 0].gather(1, column)


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
