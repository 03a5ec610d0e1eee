"""The choice of images to prepare: no small domains, or fewer images."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dcodr.errors import UserError
from dcodr.words import counted, option


def of_large_domains(domains: Sequence[str], least: int) -> tuple[list[int], str]:
    """Choose the images of domains that have enough of them.

    Args:
        domains: The domain of each image.
        least: Smallest number of images of a domain that is kept.

    Returns:
        Positions of the images that are kept, ascending, and a text that says what was dropped.

    Raises:
        UserError: If fewer than two domains are left.
    """
    names, ids, counts = np.unique(np.asarray(domains), return_inverse=True, return_counts=True)
    large = counts >= least
    if large.sum() < 2:
        raise UserError(
            f"{option('min-per-domain', least)} leaves {counted(int(large.sum()), 'domain')} of "
            f"{len(names):,}, but at least 2 are needed; the largest domain has "
            f"{counted(int(counts.max()), 'image')}"
        )
    kept = np.flatnonzero(large[ids])
    lost = counts[~large]
    said = f"{counted(len(lost), 'domain')} of fewer than {counted(least, 'image')}"
    if len(lost):
        said += f", with {counted(int(lost.sum()), 'image')} in all"
    return kept.tolist(), said


def draw(
    domains: Sequence[str], n_images: int, seed: int, train: Sequence[bool] | None = None
) -> tuple[list[int], str]:
    """Draw images, of every domain in proportion to its size but at least two.

    Args:
        domains: The domain of each image; each has two images or more.
        n_images: Number of images to draw; all are taken if there are no more.
        seed: Seed of the draw.
        train: Tells which images are for training, if that is known. Those of a domain and its others are
            then drawn in proportion, at least two for training.

    Returns:
        Positions of the images drawn, ascending, and a text that describes the draw.

    Raises:
        UserError: If there would be fewer than two images of every domain.
    """
    total = len(domains)
    if n_images >= total:
        return list(range(total)), f"all {total:,} images, no more than the {n_images:,} asked for"
    trains = np.ones(total, dtype=bool) if train is None else np.asarray(train)
    # A group is a domain, or one of its two parts: first the others, then those for training.
    _, of_domain = np.unique(np.asarray(domains), return_inverse=True)
    groups, ids, counts = np.unique(2 * of_domain + trains, return_inverse=True, return_counts=True)
    least = np.where(groups % 2 == 1, np.minimum(counts, 2), 0)
    n_domains = of_domain.max() + 1
    if n_images < 2 * n_domains:
        raise UserError(
            f"{option('subsample', n_images)}: {counted(n_domains, 'domain')} need at least 2 images each, "
            f"{2 * n_domains:,} in all; ask for more, or drop small domains with {option('min-per-domain')}"
        )
    rng = np.random.default_rng(seed)
    members = np.split(np.argsort(ids, kind="stable"), np.cumsum(counts)[:-1])
    shares = _shares(counts, least, n_images)
    drawn = [rng.choice(own, n, replace=False) for own, n in zip(members, shares, strict=True)]
    said = f"{n_images:,} of {total:,} images, drawn with seed {seed} in proportion to the domains' sizes"
    return np.sort(np.concatenate(drawn)).tolist(), said


def _shares(counts: npt.NDArray[np.int64], least: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Divide a total in proportion to counts, but at least ``least``, by largest remainders."""
    small = np.zeros(len(counts), dtype=bool)
    while True:
        rest = (total - least[small].sum()) / max(1, counts[~small].sum())
        exact = np.where(small, least, rest * counts)
        if not (exact < least).any():
            break
        small |= exact < least
    shares: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest_remainder = np.argsort(shares - exact, kind="stable")
    shares[largest_remainder[: total - shares.sum()]] += 1
    return shares
