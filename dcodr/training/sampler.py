"""Samplers of batches: equally many images of several domains, or any images at random."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dcodr.errors import UserError
from dcodr.words import counted, option

_TINY = 1e-9


class DomainBatchSampler:
    """A sampler of batches with ``n_domains`` distinct domains and ``n_per_domain`` distinct images each.

    A batch has a domain-by-domain layout. An epoch has ``len()`` batches, as many as the images fill. Every
    domain takes its images from a shuffled queue, so no image repeats before all others have been used.
    Domains are drawn with probability proportional to their number of unseen images in the epoch.

    The order of an epoch depends only on the seed and the epoch's number, so a resumed training needs no
    state of a random generator. It works as ``batch_sampler`` of a ``torch.utils.data.DataLoader``.

    Args:
        domain: ``(N,)`` domain labels.
        n_domains: Domains in a batch.
        n_per_domain: Images of each domain.
        seed: Seed of the order, not negative.
        names: For each label the name of its domain, for messages; empty if domains have no names.

    Yields:
        ``(n_domains * n_per_domain,)`` int64 positions in ``domain``.

    Raises:
        UserError: If a number is not positive, or there are too few domains or too few images in a domain.

    Example:
        >>> sampler = DomainBatchSampler(np.repeat([0, 1, 2], 8), n_domains=2, n_per_domain=4, seed=0)
        >>> len(sampler), [batch.shape for batch in sampler]
        (3, [(8,), (8,), (8,)])
    """

    def __init__(
        self,
        domain: npt.NDArray[np.int64],
        n_domains: int,
        n_per_domain: int,
        seed: int,
        names: Sequence[str] = (),
    ) -> None:
        labels, sizes = np.unique(domain, return_counts=True)
        _require_feasible([names[i] if names else str(i) for i in labels], sizes, n_domains, n_per_domain)
        by_domain = np.argsort(domain, kind="stable")
        self._members = np.split(by_domain, np.cumsum(sizes)[:-1])
        self._sizes = sizes
        self._n_domains = n_domains
        self._n_per_domain = n_per_domain
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return int(self._sizes.sum()) // (self._n_domains * self._n_per_domain)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration yields."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the batches of the chosen epoch."""
        # Queues and random numbers start anew in every epoch, so a resumed training can begin with any epoch.
        rng = np.random.default_rng((self._seed, self._epoch))
        queues = [rng.permutation(members) for members in self._members]
        unseen = self._sizes.astype(np.float64)
        for _ in range(len(self)):
            drawn = _weighted_draw(unseen, self._n_domains, rng)
            # A queue that is refilled repeats images, so the number of unseen images stays at 0.
            unseen[drawn] = np.maximum(unseen[drawn] - self._n_per_domain, 0)
            yield np.concatenate([self._deal(queues, index, rng) for index in drawn])

    def _deal(
        self, queues: list[npt.NDArray[np.int64]], index: int, rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Take the next images of a domain from its queue; refill an exhausted queue."""
        queue = queues[index]
        if len(queue) < self._n_per_domain:
            refill = rng.permutation(self._members[index])
            # Images still in the queue go to the end of the refill, so that the next batch is distinct.
            repeated = np.isin(refill, queue)
            queue = np.concatenate([queue, refill[~repeated], refill[repeated]])
        queues[index] = queue[self._n_per_domain :]
        return queue[: self._n_per_domain]


class RandomBatchSampler:
    """A sampler of batches with distinct images of any domains.

    An epoch has ``len()`` batches, as many as the images fill, and uses no image twice. The unused images
    differ from epoch to epoch. As with :class:`DomainBatchSampler`, the order depends only on the seed and
    the epoch's number.

    Args:
        n_images: Number of images to draw from.
        batch_size: Images in a batch.
        seed: Seed of the order, not negative.

    Yields:
        ``(batch_size,)`` int64 positions in ``0..n_images-1``.

    Raises:
        UserError: If a batch is empty or larger than the number of images.

    Example:
        >>> sampler = RandomBatchSampler(n_images=20, batch_size=8, seed=0)
        >>> len(sampler), [batch.shape for batch in sampler]
        (2, [(8,), (8,)])
    """

    def __init__(self, n_images: int, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= n_images:
            raise UserError(
                f"a batch of batch.n_domains x batch.n_per_domain is {batch_size} images, but there are "
                f"{n_images} for training: choose from 1 to {n_images}"
            )
        self._n_images = n_images
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._n_images // self._batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration yields."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the batches of the chosen epoch."""
        order = np.random.default_rng((self._seed, self._epoch)).permutation(self._n_images)
        for start in range(0, len(self) * self._batch_size, self._batch_size):
            yield order[start : start + self._batch_size]


BatchSampler = DomainBatchSampler | RandomBatchSampler


def _weighted_draw(
    weights: npt.NDArray[np.float64], n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw ``n`` positions without replacement, by weight; positions of weight 0 come last, in random order.

    The positions with the first exponential arrival times, at these rates, are such a draw (Efraimidis &
    Spirakis, 2006).
    """
    # A tiny rate in place of 0 makes the positions without weight arrive last.
    arrival = rng.exponential(size=len(weights)) / np.maximum(weights, _TINY)
    return np.argsort(arrival)[:n]


def _require_feasible(
    domains: Sequence[str], sizes: npt.NDArray[np.int64], n_domains: int, n_per_domain: int
) -> None:
    """Refuse batches that the named domains, of these sizes, cannot fill."""
    for name, value in (("n_domains", n_domains), ("n_per_domain", n_per_domain)):
        if value < 1:
            raise UserError(f"batch.{name} is {value}; it must be positive")
    if n_domains > len(domains):
        raise UserError(
            f"batch.n_domains is {n_domains}, but the training images have "
            f"{counted(len(domains), 'domain')}: lower it to {len(domains)} or less"
        )
    n_short = int((sizes < n_per_domain).sum())
    if n_short:
        smallest = [name for name, size in zip(domains, sizes, strict=True) if size == sizes.min()]
        named = ", ".join(smallest[:5]) + (", ..." if len(smallest) > 5 else "")
        raise UserError(
            f"batch.n_per_domain is {n_per_domain}, but {n_short} of {len(domains)} domains have fewer "
            f"training images; the smallest have {sizes.min()} (domain {named}): lower it to {sizes.min()} "
            f"or leave out domains that small with {option('min-per-domain')} when you prepare the images"
        )
