"""The contrastive loss against a naive loop, closed forms and symmetries."""

import math

import pytest
import torch
import torch.nn.functional as F

from dcodr.losses.contrastive import DomainContrastiveLoss


def codes(n: int, seed: int, code_dim: int = 16) -> torch.Tensor:
    return F.normalize(torch.randn(n, code_dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def naive_loss(
    anchors: torch.Tensor, positives: torch.Tensor, temperature: float, n_domains: int
) -> torch.Tensor:
    """Compute the loss by its definition, image by image."""
    n = len(anchors) // n_domains
    losses = []
    for i in range(len(anchors)):
        positive = torch.dot(anchors[i], positives[i])
        compared = [positive]
        for j in range(len(anchors)):
            if j != i and j // n == i // n:
                compared.append(torch.dot(anchors[i], anchors[j]))
        losses.append(torch.logsumexp(torch.stack(compared) / temperature, dim=0) - positive / temperature)
    return torch.stack(losses).mean()


@pytest.mark.parametrize(("n_domains", "n"), [(1, 2), (1, 7), (3, 5), (4, 8)])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_equals_the_definition(n_domains: int, n: int, temperature: float) -> None:
    anchors = codes(n_domains * n, seed=0).requires_grad_()
    positives = codes(n_domains * n, seed=1).requires_grad_()
    loss = DomainContrastiveLoss(temperature, n_domains)(anchors, positives)
    expected = naive_loss(anchors, positives, temperature, n_domains)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    gradients = torch.autograd.grad(loss, (anchors, positives))
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, (anchors, positives)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 10.0])
def test_collapsed_codes_give_the_logarithm_of_n(temperature: float) -> None:
    same = codes(1, seed=0).repeat(4 * 8, 1)
    assert DomainContrastiveLoss(temperature, 4)(same, same).item() == pytest.approx(math.log(8), abs=1e-5)


def test_orthogonal_codes_have_a_closed_form() -> None:
    orthogonal = torch.eye(8).repeat(4, 1)
    expected = math.log1p(7 * math.exp(-1 / 0.2))
    assert DomainContrastiveLoss(0.2, 4)(orthogonal, orthogonal).item() == pytest.approx(expected, abs=1e-6)


def test_high_temperature_approaches_the_logarithm_of_n() -> None:
    loss = DomainContrastiveLoss(1e5, 2)(codes(12, seed=0), codes(12, seed=1))
    assert loss.item() == pytest.approx(math.log(6), abs=1e-4)


def test_low_temperature_approaches_the_margin_to_the_hardest_negative() -> None:
    anchors, positives, temperature = codes(12, seed=0), codes(12, seed=1), 1e-3
    similarity = anchors.view(2, 6, -1) @ anchors.view(2, 6, -1).transpose(1, 2)
    hardest = (similarity - 2 * torch.eye(6)).amax(dim=2).flatten()
    expected = (hardest - (anchors * positives).sum(dim=1)).clamp_min(0).mean()
    loss = temperature * DomainContrastiveLoss(temperature, 2)(anchors, positives)
    torch.testing.assert_close(loss, expected, rtol=0, atol=2e-3)


def test_order_within_domains_and_of_domains_does_not_matter() -> None:
    anchors, positives = codes(4 * 8, seed=0), codes(4 * 8, seed=1)
    generator = torch.Generator().manual_seed(2)
    blocks = torch.arange(4 * 8).view(4, 8)[torch.randperm(4, generator=generator)]
    order = torch.cat([block[torch.randperm(8, generator=generator)] for block in blocks])
    loss = DomainContrastiveLoss(0.1, 4)
    torch.testing.assert_close(loss(anchors[order], positives[order]), loss(anchors, positives))


def test_domains_do_not_see_each_other() -> None:
    anchors, positives = codes(3 * 6, seed=0), codes(3 * 6, seed=1)
    blocks = zip(anchors.view(3, 6, -1), positives.view(3, 6, -1), strict=True)
    apart = torch.stack([DomainContrastiveLoss(0.1, 1)(a, p) for a, p in blocks])
    torch.testing.assert_close(DomainContrastiveLoss(0.1, 3)(anchors, positives), apart.mean())


def test_gradient_is_finite_at_extremes() -> None:
    anchors = torch.cat([codes(1, seed=0).repeat(4, 1), torch.eye(16)[:4]]).requires_grad_()
    positives = -anchors.detach()
    loss = DomainContrastiveLoss(1e-3, 2)(anchors, positives)
    loss.backward()
    assert loss.isfinite()
    assert anchors.grad is not None
    assert anchors.grad.isfinite().all()


def test_autocast_does_not_round_similarities() -> None:
    anchors, positives = codes(4 * 8, seed=0), codes(4 * 8, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = DomainContrastiveLoss(0.05, 4)(anchors, positives)
    torch.testing.assert_close(loss, naive_loss(anchors, positives, 0.05, 4), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.inf, math.nan])
def test_temperature_must_be_positive_and_finite(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        DomainContrastiveLoss(temperature, 4)


def test_number_of_domains_must_be_positive() -> None:
    with pytest.raises(ValueError, match="n_domains is 0"):
        DomainContrastiveLoss(0.1, 0)


@pytest.mark.parametrize(
    ("n_anchors", "n_positives"),
    [(10, 10), (4, 4), (8, 12), (0, 0)],
    ids=["uneven", "single", "unequal", "none"],
)
def test_other_shapes_are_refused(n_anchors: int, n_positives: int) -> None:
    with pytest.raises(ValueError, match="4 domains"):
        DomainContrastiveLoss(0.1, 4)(codes(n_anchors, seed=0), codes(n_positives, seed=1))
