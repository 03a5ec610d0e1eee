"""The appearance of images within their domain, as numbers. It replaces attributes if none is labelled.

1. An image is averaged over a grid.
2. The mean of its domain's training images is subtracted. This removes domain information, so a code that
   knows only the domain cannot predict the appearance.
3. The rest is described by its principal components, each in units of its own standard deviation. The result
   is a continuous attribute with as many dimensions.

A probe's skill on it is ``image_informativeness``. The chance level is 0, as for any skill.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dcodr.evaluation.embed import Images, float_images

IMAGE_INFORMATIVENESS = "image_informativeness"
"""Name of the metric."""
GRID = 16
"""Number of cells of the grid in height and width."""
COMPONENTS = 32
"""Largest number of principal components."""
SMALLEST_VARIANCE = 1e-6
"""Components with less variance than this share of the first component's are noise and are dropped."""


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
        device: Device of the computation.
        batch_size: Images read at a time.

    Returns:
        ``(n, 3 * GRID * GRID)`` float32 in [0, 1] on ``device``.
    """
    starts = range(0, len(indices), batch_size)
    batches = (float_images(images, indices[start : start + batch_size], device) for start in starts)
    return torch.cat([F.adaptive_avg_pool2d(batch, GRID).flatten(1) for batch in batches])


def appearance(train: Tensor, scored: Tensor, train_domain: Tensor, domain: Tensor) -> tuple[Tensor, Tensor]:
    """Describe images by the principal components of the training images' differences from the domain means.

    Args:
        train: ``(n, d)`` thumbnails of training images, which determine means and components.
        scored: ``(m, d)`` thumbnails of other images.
        train_domain: ``(n,)`` domains of the training images, which include all of ``0..D-1``.
        domain: ``(m,)`` domains of the other images.

    Returns:
        ``(n, K)`` and ``(m, K)`` float32, K at most ``COMPONENTS``. On the training images every dimension
        has mean 0 in every domain, and variance 1 overall.
    """
    n_domains = int(train_domain.max()) + 1
    sums = train.new_zeros(n_domains, train.shape[1], dtype=torch.float64)
    sums.index_add_(0, train_domain, train.double())
    means = sums / train_domain.bincount(minlength=n_domains)[:, None]
    # Subtracting the domain mean removes domain information.
    within = train - means[train_domain]
    # Eigenvalues come in ascending order: the last component is the first principal one.
    variances, directions = torch.linalg.eigh(within.T @ within / len(within))
    largest = variances[-1].clamp_min(torch.finfo(torch.float64).tiny)
    n_components = max(1, min(COMPONENTS, int((variances > SMALLEST_VARIANCE * largest).sum())))
    deviations = variances[-n_components:].flip(0).clamp_min(largest * SMALLEST_VARIANCE).sqrt()
    scaled = directions[:, -n_components:].flip(1) / deviations
    return (within @ scaled).float(), ((scored - means[domain]) @ scaled).float()
