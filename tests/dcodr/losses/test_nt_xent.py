"""SimCLR's loss against a naive loop, closed forms and symmetries."""

import math

import pytest
import torch
import torch.nn.functional as F

from dcodr.losses.nt_xent import NTXentLoss


def codes(n: int, seed: int, code_dim: int = 16) -> torch.Tensor:
    return F.normalize(torch.randn(n, code_dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def naive_loss(anchors: torch.Tensor, positives: torch.Tensor, temperature: float) -> torch.Tensor:
    """Compute the loss by its definition, view by view: pairs ``(2k, 2k+1)`` as the paper lays them out."""
    views = [view for pair in zip(anchors, positives, strict=True) for view in pair]
    losses = []
    for i, view in enumerate(views):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = [torch.dot(view, views[j]) / temperature for j in range(len(views)) if j != i]
        positive = torch.dot(view, views[partner]) / temperature
        losses.append(torch.logsumexp(torch.stack(others), dim=0) - positive)
    return torch.stack(losses).mean()


@pytest.mark.parametrize("n", [2, 3, 16])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_equals_the_definition(n: int, temperature: float) -> None:
    both = codes(n, seed=0).requires_grad_(), codes(n, seed=1).requires_grad_()
    loss, expected = NTXentLoss(temperature)(*both), naive_loss(*both, temperature)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(
        torch.autograd.grad(loss, both), torch.autograd.grad(expected, both), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 10.0])
def test_collapsed_codes_give_the_logarithm_of_the_views_compared(temperature: float) -> None:
    same = codes(1, seed=0).repeat(8, 1)
    assert NTXentLoss(temperature)(same, same).item() == pytest.approx(math.log(15), abs=1e-5)


def test_orthogonal_codes_have_a_closed_form() -> None:
    orthogonal = torch.eye(8)
    expected = math.log1p(14 * math.exp(-1 / 0.2))
    assert NTXentLoss(0.2)(orthogonal, orthogonal).item() == pytest.approx(expected, abs=1e-6)


def test_neither_the_order_of_images_nor_which_view_is_the_anchor_matters() -> None:
    anchors, positives = codes(12, seed=0), codes(12, seed=1)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    expected = NTXentLoss(0.1)(anchors, positives)
    torch.testing.assert_close(NTXentLoss(0.1)(anchors[order], positives[order]), expected)
    torch.testing.assert_close(NTXentLoss(0.1)(positives, anchors), expected)


def test_autocast_does_not_round_similarities() -> None:
    both = codes(12, seed=0), codes(12, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = NTXentLoss(0.05)(*both)
    torch.testing.assert_close(loss, naive_loss(*both, 0.05), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.inf, math.nan])
def test_temperature_must_be_positive_and_finite(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        NTXentLoss(temperature)


@pytest.mark.parametrize(("n_anchors", "n_positives"), [(1, 1), (4, 5)])
def test_other_shapes_are_refused(n_anchors: int, n_positives: int) -> None:
    with pytest.raises(ValueError, match="at least 2 images"):
        NTXentLoss(0.1)(codes(n_anchors, seed=0), codes(n_positives, seed=1))
