"""Retrieval: do the images nearest to an image in the space of codes share its attributes?

The queries are the images of the scored split; the gallery, in which their neighbours are sought, is the
train split and the scored split together, as in the official evaluation. That one drops the nearest image
because it takes it for the query; here the query is left out by its index: exact duplicates of it count.
Continuous attributes have no matches and take no part.

Not every query has a match in its gallery. The *ceiling* is the share of those that do, what a perfect code
would reach: a figure is to be read beside it.
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
        cyclic: Whether the last class is next to the first.
    """

    ids: Tensor
    cardinality: int
    margin: int = 0
    cyclic: bool = False


def nearest_neighbours(codes: Tensor, queries: Tensor, k: int, block_size: int | None = None) -> Tensor:
    """Find the codes of highest cosine similarity to some of them, each query itself left out.

    Beside the result it takes the memory of one more copy of the codes and of one block.

    Args:
        codes: ``(N, d)`` codes of the gallery.
        queries: ``(Q,)`` int64 indices of the codes whose neighbours are sought.
        k: Number of neighbours; at most ``N - 1`` are returned.
        block_size: Queries compared at a time; by default so many that a block of similarities takes 32 MiB.

    Returns:
        ``(Q, min(k, N - 1))`` int64 indices, nearest first; the order of equally near codes is arbitrary.
    """
    n, k = len(codes), min(k, len(codes) - 1)
    gallery = codes.new_zeros(n + -n % _HEAP, codes.shape[1])
    F.normalize(codes, dim=1, out=gallery[:n])
    block_size = block_size or max(1, _BLOCK_ELEMENTS // n)
    neighbours = torch.empty((len(queries), k), dtype=torch.int64, device=codes.device)
    for start in range(0, len(queries), block_size):
        block = queries[start : start + block_size]
        similarity = gallery[block] @ gallery.T
        similarity.scatter_(1, block[:, None], -torch.inf)
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


def matches(classes: Classes, queries: Tensor, neighbours: Tensor) -> Tensor:
    """Tell which neighbours have the class of their query, or one within the margin of it.

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


def has_match(attributes: Sequence[Classes], queries: Tensor) -> Tensor:
    """Tell for which queries any other image of the gallery matches in every one of some attributes.

    Images are not compared in pairs: those of each combination of classes are counted once, and looked up
    for every combination within the margins.

    Args:
        attributes: At least one attribute of the same gallery.
        queries: ``(Q,)`` indices of the queries.

    Returns:
        ``(Q,)`` bool.
    """
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
    return found > 1


def _shifts(attribute: Classes) -> range:
    """Return what to add to a class to reach each one within the margin, once."""
    if attribute.cyclic and 2 * attribute.margin >= attribute.cardinality:
        return range(attribute.cardinality)
    return range(-attribute.margin, attribute.margin + 1)


def _combined(exact: Tensor, loose: Sequence[tuple[Tensor, Classes]]) -> Tensor:
    """One number for each combination of classes; -1 where one of them is beyond the last class."""
    number, none = exact, torch.zeros_like(exact, dtype=torch.bool)
    for ids, attribute in loose:
        if attribute.cyclic:
            ids = ids % attribute.cardinality
        none |= (ids < 0) | (ids >= attribute.cardinality)
        number = number * attribute.cardinality + ids
    return number.masked_fill(none, -1)


def retrieval_figures(
    attributes: Mapping[str, Classes], queries: Tensor, neighbours: Tensor, ks: Sequence[int]
) -> dict[str, float]:
    """Summarise matches, for each attribute and for all of them together.

    Args:
        attributes: The classes of the gallery in at least one attribute.
        queries: ``(Q,)`` indices of the queries.
        neighbours: ``(Q, k)`` indices of their neighbours, as ``nearest_neighbours`` returns them.
        ks: Numbers of nearest neighbours among which a match is sought.

    Returns:
        ``retrieval_top1/<name>``, the share of queries whose nearest neighbour matches;
        ``retrieval_recall_at_<k>/<name>``, the share with a match among the first ``k``; and
        ``retrieval_ceiling/<name>``, the share with a match anywhere in the gallery, which none of these can
        exceed. The name ``all`` stands for neighbours that match in every attribute.
    """
    found = {name: matches(classes, queries, neighbours) for name, classes in attributes.items()}
    found["all"] = torch.stack(list(found.values())).all(dim=0)
    labels = {name: replace(classes, ids=classes.ids.cpu()) for name, classes in attributes.items()}
    members = {name: [classes] for name, classes in labels.items()} | {"all": [*labels.values()]}
    figures = {}
    for name, matching in found.items():
        for k in ks:
            figure = f"retrieval_top1/{name}" if k == 1 else f"retrieval_recall_at_{k}/{name}"
            figures[figure] = matching[:, :k].any(dim=1).double().mean().item()
        figures[f"retrieval_ceiling/{name}"] = has_match(members[name], queries.cpu()).double().mean().item()
    return figures
