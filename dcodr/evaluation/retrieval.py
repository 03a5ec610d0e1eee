"""Retrieval: a measure of shared attributes among the images with the nearest codes.

The queries are the images of the scored split. The gallery is the train split and the scored split together,
as in the official evaluation. The official code drops the nearest image on the assumption that it is the
query. Here the query is excluded by its index, so its exact duplicates count. Continuous attributes have no
matches and are ignored.

Not every query has a match in its gallery. The *ceiling* is the share of queries that have one, the score of
a perfect code. Compare every retrieval metric with its ceiling.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

_BLOCK_ELEMENTS = 2**23
_HEAP = 16


@dataclass(frozen=True)
class Classes:
    """The classes of the gallery's images in one categorical attribute.

    Attributes:
        ids: ``(N,)`` class id of each image, in ``0..cardinality-1``.
        cardinality: Number of classes.
        margin: Largest distance of class ids that still counts as a match.
        cyclic: True if the last class is next to the first.
    """

    ids: Tensor
    cardinality: int
    margin: int = 0
    cyclic: bool = False


def nearest_neighbours(codes: Tensor, queries: Tensor, k: int, block_size: int | None = None) -> Tensor:
    """Find the codes with the highest cosine similarity to each query, excluding the query itself.

    Besides the result, this needs memory for one more copy of the codes and for one block of similarities.

    Args:
        codes: ``(N, d)`` codes of the gallery.
        queries: ``(Q,)`` int64 indices of the query codes.
        k: Number of neighbours; at most ``N - 1`` are returned.
        block_size: Queries compared at a time; by default a block of similarities takes 32 MiB.

    Returns:
        ``(Q, min(k, N - 1))`` int64 indices, nearest first; the order of equally near codes is arbitrary.
    """
    n, k = len(codes), min(k, len(codes) - 1)
    # Pad the gallery to a multiple of _HEAP, as `_largest` requires; the padding is excluded below.
    gallery = codes.new_zeros(n + -n % _HEAP, codes.shape[1])
    F.normalize(codes, dim=1, out=gallery[:n])
    # All similarities together would take N * Q numbers, so they are computed in blocks of queries.
    block_size = block_size or max(1, _BLOCK_ELEMENTS // n)
    neighbours = torch.empty((len(queries), k), dtype=torch.int64, device=codes.device)
    for start in range(0, len(queries), block_size):
        block = queries[start : start + block_size]
        similarity = gallery[block] @ gallery.T
        similarity.scatter_(1, block[:, None], -torch.inf)
        similarity[:, n:] = -torch.inf
        neighbours[start : start + block_size] = _largest(similarity, k)
    return neighbours


def nearest_in(gallery: Tensor, queries: Tensor, k: int) -> Tensor:
    """Find the codes of a gallery with the highest cosine similarity to codes that are not part of it.

    Args:
        gallery: ``(N, d)`` codes.
        queries: ``(Q, d)`` codes.
        k: Number of neighbours; at most ``N`` are returned.

    Returns:
        ``(Q, min(k, N))`` int64 indices into the gallery, nearest first.
    """
    gallery = F.normalize(gallery, dim=1)
    rows = max(1, _BLOCK_ELEMENTS // len(gallery))
    blocks = queries.tensor_split(list(range(rows, len(queries), rows)))
    return torch.cat([(block @ gallery.T).topk(min(k, len(gallery))).indices for block in blocks])


def _largest(values: Tensor, k: int) -> Tensor:
    """Return indices ``(B, k)`` of the largest of values ``(B, N)``, largest first; ``_HEAP`` divides ``N``.

    The values are divided into heaps of ``_HEAP``. The ``k`` largest values all lie in the ``k`` heaps with
    the largest maxima. Searching only these heaps takes a fraction of the time.
    """
    heaps = values.view(len(values), _HEAP, -1)
    chosen = heaps.amax(dim=1).topk(min(k, heaps.shape[2])).indices[:, None]
    candidates = heaps.gather(2, chosen.expand(-1, _HEAP, -1)).flatten(1)
    found = candidates.topk(k).indices
    # Convert positions among the candidates back to positions among the values.
    row, column = found // chosen.shape[2], found % chosen.shape[2]
    return row * heaps.shape[2] + chosen[:, 0].gather(1, column)


def matches(classes: Classes, queries: Tensor, neighbours: Tensor) -> Tensor:
    """Tell which neighbours have the class of their query, or a class within the margin.

    Args:
        classes: The classes of the gallery.
        queries: ``(Q,)`` indices of the queries.
        neighbours: ``(Q, k)`` indices of each query's neighbours.

    Returns:
        ``(Q, k)`` bool.
    """
    distance = (classes.ids[neighbours] - classes.ids[queries, None]).abs()
    if classes.cyclic:
        distance = torch.minimum(distance, classes.cardinality - distance)
    return distance <= classes.margin


def n_matches(attributes: Sequence[Classes], queries: Tensor) -> Tensor:
    """Count for each query the other images of the gallery that match in all given attributes.

    Images are not compared in pairs. Instead, the images of each combination of classes are counted once, and
    the counts of all combinations within the margins are looked up.

    Args:
        attributes: At least one attribute of the same gallery.
        queries: ``(Q,)`` indices of the queries.

    Returns:
        ``(Q,)`` int64.
    """
    # Number the combinations of the exact attributes densely, so that the numbers stay small.
    exact = torch.zeros_like(attributes[0].ids)
    loose = []
    for attribute in attributes:
        if attribute.margin:
            loose.append(attribute)
        else:
            exact = torch.unique(exact * attribute.cardinality + attribute.ids, return_inverse=True)[1]
    gallery = _combined(exact, [(one.ids, one) for one in loose])
    combinations, counts = torch.unique(gallery, return_counts=True)
    found = torch.zeros_like(queries)
    for shifts in itertools.product(*map(_shifts, loose)):
        classes = [(one.ids[queries] + shift, one) for one, shift in zip(loose, shifts, strict=True)]
        sought = _combined(exact[queries], classes)
        at = torch.searchsorted(combinations, sought).clamp_max(len(combinations) - 1)
        found += torch.where(combinations[at] == sought, counts[at], 0)
    return found - 1  # the query itself is one of the images found


def _shifts(attribute: Classes) -> range:
    """Return the differences between a class and all classes within the margin, without repetition."""
    if attribute.cyclic and 2 * attribute.margin >= attribute.cardinality:
        return range(attribute.cardinality)
    return range(-attribute.margin, attribute.margin + 1)


def _combined(exact: Tensor, loose: Sequence[tuple[Tensor, Classes]]) -> Tensor:
    """Return one number for each combination of classes; -1 if one of them is out of range."""
    number, none = exact, torch.zeros_like(exact, dtype=torch.bool)
    for ids, attribute in loose:
        if attribute.cyclic:
            ids = ids % attribute.cardinality
        none |= (ids < 0) | (ids >= attribute.cardinality)
        number = number * attribute.cardinality + ids
    return number.masked_fill(none, -1)


def retrieval_metrics(
    attributes: Mapping[str, Classes], queries: Tensor, neighbours: Tensor, ks: Sequence[int]
) -> dict[str, float]:
    """Summarise matches, for each attribute and for all of them together.

    Args:
        attributes: The classes of the gallery in at least one attribute.
        queries: ``(Q,)`` indices of the queries.
        neighbours: ``(Q, k)`` indices of their neighbours, from ``nearest_neighbours``.
        ks: Numbers of nearest neighbours to search for a match.

    Returns:
        ``retrieval_top1/<name>``, the share of queries whose nearest neighbour matches;
        ``retrieval_recall_at_<k>/<name>``, the share with a match among the first ``k``; and
        ``retrieval_ceiling/<name>``, the share with a match anywhere in the gallery, the upper limit of the
        others. The name ``all`` stands for neighbours that match in every attribute.
    """
    found = {name: matches(classes, queries, neighbours) for name, classes in attributes.items()}
    found["all"] = torch.stack(list(found.values())).all(dim=0)
    labels = {name: replace(classes, ids=classes.ids.cpu()) for name, classes in attributes.items()}
    members = {name: [classes] for name, classes in labels.items()} | {"all": [*labels.values()]}
    metrics = {}
    for name, matching in found.items():
        for k in ks:
            metrics[_figure(name, k)] = matching[:, :k].any(dim=1).double().mean().item()
        metrics[f"retrieval_ceiling/{name}"] = (
            (n_matches(members[name], queries.cpu()) > 0).double().mean().item()
        )
    return metrics


def random_metrics(attributes: Mapping[str, Classes], queries: Tensor, ks: Sequence[int]) -> dict[str, float]:
    """Return the expected metrics of :func:`retrieval_metrics` for codes without information.

    The neighbours are then drawn at random without replacement. With ``m`` matches among ``n`` other images,
    the first ``k`` neighbours miss all of them with probability ``C(n - m, k) / C(n, k)``.

    Args:
        attributes: See :func:`retrieval_metrics`.
        queries: ``(Q,)`` indices of the queries, on the CPU.
        ks: See :func:`retrieval_metrics`.

    Returns:
        The metrics of :func:`retrieval_metrics` without the ceilings.
    """
    members = {name: [classes] for name, classes in attributes.items()} | {"all": [*attributes.values()]}
    others = len(next(iter(attributes.values())).ids) - 1
    metrics = {}
    for name, classes in members.items():
        misses = (others - n_matches(classes, queries)).double()
        for k in ks:
            drawn = torch.arange(min(k, others), dtype=torch.float64)
            missed = ((misses[:, None] - drawn) / (others - drawn)).clamp_min(0).prod(dim=1)
            metrics[_figure(name, k)] = (1 - missed).mean().item()
    return metrics


def _figure(name: str, k: int) -> str:
    return f"retrieval_top1/{name}" if k == 1 else f"retrieval_recall_at_{k}/{name}"
