"""Diagonal Gaussians for variational autoencoders: products, and divergences from the prior."""

import torch


def product_of_gaussians(
    means: torch.Tensor, log_variances: torch.Tensor, n_domains: int
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Multiply the Gaussians of each domain's images, which combines their information about the domain.

    This is the evidence accumulation of Bouchacourt et al., *Multi-Level Variational Autoencoder*, AAAI 2018,
    https://arxiv.org/abs/1705.08841. The product is Gaussian again. Precisions add up, and the mean is the
    average of the images' means weighted by precision:

    .. math:: \sigma^{-2} = \sum_i \sigma_i^{-2}, \quad \mu = \sigma^2 \sum_i \mu_i \sigma_i^{-2}.

    Args:
        means: ``(n_domains * n, d)``, laid out domain by domain, ``n`` images each.
        log_variances: Same shape as ``means``.
        n_domains: Domains in the batch.

    Returns:
        Means and logarithms of variances, ``(n_domains, d)`` each.
    """
    shape = n_domains, -1, means.shape[1]
    # In logarithms, so that extreme variances neither overflow nor vanish.
    log_precisions = -log_variances.reshape(shape)
    weights = log_precisions.softmax(dim=1)
    return (weights * means.reshape(shape)).sum(dim=1), -log_precisions.logsumexp(dim=1)


def kl_to_standard_normal(means: torch.Tensor, log_variances: torch.Tensor) -> torch.Tensor:
    r"""Compute the Kullback-Leibler divergence of diagonal Gaussians from the standard normal, in nats.

    .. math:: \frac{1}{2} \sum_k \big[ \mu_k^2 + \sigma_k^2 - 1 - \log \sigma_k^2 \big]

    Args:
        means: ``(B, d)``.
        log_variances: ``(B, d)``.

    Returns:
        ``(B,)``, never negative.
    """
    return 0.5 * (means.square() + log_variances.expm1() - log_variances).sum(dim=1)
