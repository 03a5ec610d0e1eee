"""Products and divergences of Gaussians against torch's distributions, naive loops and closed forms."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from dcodr.losses.gaussian import kl_to_standard_normal, product_of_gaussians


def gaussians(n: int, d: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator)


def log_density(points: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Of a Gaussian at points, without its constant."""
    return -((points - mean) ** 2) / log_variance.exp() / 2


def test_a_product_is_that_of_the_densities() -> None:
    means, log_variances = gaussians(2 * 5)
    mean, log_variance = product_of_gaussians(means, log_variances, n_domains=2)
    assert mean.shape == log_variance.shape == (2, 3)
    points = torch.linspace(-2, 2, 7)[:, None]
    for domain in range(2):
        joint = torch.zeros(7, 3)
        for i in range(5 * domain, 5 * domain + 5):
            joint = joint + log_density(points, means[i], log_variances[i])
        apart = joint - log_density(points, mean[domain], log_variance[domain])
        torch.testing.assert_close(apart, apart[:1].expand(7, 3), rtol=0, atol=1e-4)  # but for a constant


def test_equal_gaussians_share_their_mean_and_divide_their_variance() -> None:
    mean, log_variance = product_of_gaussians(torch.full((8, 1), 3.0), torch.full((8, 1), 1.0), 2)
    torch.testing.assert_close(mean, torch.full((2, 1), 3.0))
    torch.testing.assert_close(log_variance, torch.full((2, 1), 1 - math.log(4)))


def test_an_image_that_knows_nothing_has_no_say() -> None:
    means, log_variances = torch.tensor([[2.0], [-9.0]]), torch.tensor([[0.0], [80.0]])
    mean, log_variance = product_of_gaussians(means, log_variances, 1)
    torch.testing.assert_close(mean, torch.tensor([[2.0]]))
    torch.testing.assert_close(log_variance, torch.zeros(1, 1))


def test_the_divergence_is_that_of_torchs_distributions() -> None:
    means, log_variances = gaussians(6)
    expected = kl_divergence(Normal(means, (log_variances / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_to_standard_normal(means, log_variances), expected)


def test_the_prior_itself_is_at_no_distance() -> None:
    assert torch.equal(kl_to_standard_normal(torch.zeros(2, 4), torch.zeros(2, 4)), torch.zeros(2))
