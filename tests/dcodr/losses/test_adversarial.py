"""Both sides of the game against naive loops and closed forms."""

import math

import pytest
import torch

from dcodr.losses.adversarial import confusion_loss, discrimination_loss


def logits(n: int, seed: int) -> torch.Tensor:
    return 2 * torch.randn(n, generator=torch.Generator().manual_seed(seed))


def probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_discrimination_is_the_cross_entropy_of_both_kinds_of_pairs() -> None:
    same, different = logits(5, 0), logits(7, 1)
    of_same = sum(-math.log(probability(x)) for x in same.tolist()) / 5
    of_different = sum(-math.log(1 - probability(x)) for x in different.tolist()) / 7
    expected = (of_same + of_different) / 2
    assert discrimination_loss(same, different).item() == pytest.approx(expected, rel=1e-5)


def test_confusion_is_smallest_where_the_discriminator_is_undecided() -> None:
    undecided = torch.zeros(4, requires_grad=True)
    loss = confusion_loss(undecided)
    assert loss.item() == pytest.approx(math.log(2))
    (gradient,) = torch.autograd.grad(loss, undecided)
    assert torch.equal(gradient, torch.zeros(4))
    decided = logits(4, 0)
    expected = sum(-math.log(p * (1 - p)) / 2 for p in map(probability, decided.tolist())) / 4
    assert confusion_loss(decided).item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(confusion_loss(-decided), confusion_loss(decided))


def test_a_perfect_discriminator_has_no_loss_and_a_wrong_one_a_finite_one() -> None:
    sure = torch.full((3,), 200.0)
    assert discrimination_loss(sure, -sure).item() == 0
    assert discrimination_loss(-sure, sure).item() == pytest.approx(200)
