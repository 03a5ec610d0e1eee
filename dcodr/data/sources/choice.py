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


def draw(domains: Sequence[str], n_images: int, seed: int) -> tuple[list[int], str]:
    """Draw images, of every domain in proportion to its size but at least two.

    Args:
        domains: The domain of each image; each has two images or more.
        n_images: Number of images to draw; all are taken if there are no more.
        seed: Seed of the draw.

    Returns:
        Positions of the images drawn, ascending, and a text that describes the draw.

    Raises:
        UserError: If there would be fewer than two images of every domain.
    """
    total = len(domains)
    if n_images >= total:
        return list(range(total)), f"all {total:,} images, no more than the {n_images:,} asked for"
    _, ids, counts = np.unique(np.asarray(domains), return_inverse=True, return_counts=True)
    if n_images < 2 * len(counts):
        raise UserError(
            f"{option('subsample', n_images)}: {counted(len(counts), 'domain')} need at least 2 images each, "
            f"{2 * len(counts):,} in all; ask for more, or drop small domains with {option('min-per-domain')}"
        )
    rng = np.random.default_rng(seed)
    members = np.split(np.argsort(ids, kind="stable"), np.cumsum(counts)[:-1])
    shares = _shares(counts, n_images)
    drawn = [rng.choice(own, n, replace=False) for own, n in zip(members, shares, strict=True)]
    said = f"{n_images:,} of {total:,} images, drawn with seed {seed} in proportion to the domains' sizes"
    return np.sort(np.concatenate(drawn)).tolist(), said


def _shares(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Divide a total in proportion to counts, at least 2 each, by the method of largest remainders."""
    small = np.zeros(len(counts), dtype=bool)
    while True:
        exact = np.where(small, 2, (total - 2 * small.sum()) * counts / max(1, counts[~small].sum()))
        if not (exact < 2).any():
            break
        small |= exact < 2
    shares: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest_remainder = np.argsort(shares - exact, kind="stable")
    shares[largest_remainder[: total - shares.sum()]] += 1
    return shares
