"""What images look like within their domain, as numbers: the stand-in for attributes where none is labelled.

An image is averaged over a grid, the mean of its domain's training images is taken away, and what is left is
told by its principal components, each in units of its own deviation: as a continuous attribute of as many
dimensions. What it has of the domain is gone with the mean, so that a code that knows nothing but the domain
cannot tell it. A probe's skill on it is ``image_informativeness``; its chance level is 0, as any skill's.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dcodr.evaluation.embed import Images, float_images

IMAGE_INFORMATIVENESS = "image_informativeness"
"""The figure's name."""
GRID = 16
"""Cells of the grid in height and width."""
COMPONENTS = 32
"""Most principal components."""
SMALLEST_VARIANCE = 1e-6
"""Components of less variance than this share of the first one's are noise, and left out."""


def thumbnails(
    images: Images,
    indices: npt.NDArray[np.int64],
    device: torch.device,
    batch_size: int = 512,
) -> Tensor:
    """Average chosen images over a grid, reading a batch at a time.

    Args:
        images: See :data:`dcodr.evaluation.embed.Images`.
        indices: ``(n,)`` positions of the images.
        device: Where to compute.
        batch_size: Images read at a time.

    Returns:
        ``(n, 3 * GRID * GRID)`` float32 in [0, 1] on ``device``.
    """
    starts = range(0, len(indices), batch_size)
    batches = (float_images(images, indices[start : start + batch_size], device) for start in starts)
    return torch.cat([F.adaptive_avg_pool2d(batch, GRID).flatten(1) for batch in batches])


def appearance(train: Tensor, scored: Tensor, train_domain: Tensor, domain: Tensor) -> tuple[Tensor, Tensor]:
    """Tell images by the principal components of how training images differ from their domain's mean.

    Args:
        train: ``(n, d)`` thumbnails of training images, of which means and components are found.
        scored: ``(m, d)`` thumbnails of other images.
        train_domain: ``(n,)`` domains of the training images, every one of ``0..D-1`` among them.
        domain: ``(m,)`` domains of the others.

    Returns:
        ``(n, K)`` and ``(m, K)`` float32, K at most ``COMPONENTS``. Of the training images every dimension
        has mean 0 in every domain, and variance 1 over all of them.
    """
    n_domains = int(train_domain.max()) + 1
    sums = train.new_zeros(n_domains, train.shape[1], dtype=torch.float64)
    sums.index_add_(0, train_domain, train.double())
    means = sums / train_domain.bincount(minlength=n_domains)[:, None]
    within = train - means[train_domain]
    variances, directions = torch.linalg.eigh(within.T @ within / len(within))
    largest = variances[-1].clamp_min(torch.finfo(torch.float64).tiny)
    n_components = max(1, min(COMPONENTS, int((variances > SMALLEST_VARIANCE * largest).sum())))
    deviations = variances[-n_components:].flip(0).clamp_min(largest * SMALLEST_VARIANCE).sqrt()
    scaled = directions[:, -n_components:].flip(1) / deviations
    return (within @ scaled).float(), ((scored - means[domain]) @ scaled).float()
