"""The two sides of DrNet's game: a discriminator of pairs, and codes that must not inform it."""

import torch
import torch.nn.functional as F


def discrimination_loss(same: torch.Tensor, different: torch.Tensor) -> torch.Tensor:
    r"""Compute the cross-entropy of a discriminator between pairs of one domain and pairs of two domains.

    Denton & Birodkar, *Unsupervised Learning of Disentangled Representations from Video*, NeurIPS 2017,
    https://arxiv.org/abs/1705.10915. With :math:`C` the probability that a pair is of one domain,
    :math:`-\frac{1}{2} [\log C(\text{same}) + \log(1 - C(\text{different}))]`: 0 at best, ``log 2`` if the
    discriminator cannot distinguish the pairs.

    Args:
        same: ``(B,)`` logits of pairs of one domain.
        different: ``(B',)`` logits of pairs of two domains.

    Returns:
        A scalar, in float32.
    """
    return (F.softplus(-same.float()).mean() + F.softplus(different.float()).mean()) / 2


def confusion_loss(logits: torch.Tensor) -> torch.Tensor:
    r"""Compute the loss of the codes against the discriminator, which should be undecided about pairs.

    :math:`-\frac{1}{2} [\log C + \log(1 - C)]`, with the minimum ``log 2`` where every :math:`C` is one half.
    Hold the discriminator fixed, not the codes. Source: see :func:`discrimination_loss`.

    Args:
        logits: ``(B,)`` logits of pairs of one domain.

    Returns:
        A scalar, in float32.
    """
    return discrimination_loss(logits, logits)
