"""The two sides of DrNet's game: a discriminator of pairs, and codes that it must not tell anything from."""

import torch
import torch.nn.functional as F


def discrimination_loss(same: torch.Tensor, different: torch.Tensor) -> torch.Tensor:
    r"""Cross entropy of a discriminator that is to tell pairs of one domain from pairs of two.

    Denton & Birodkar, *Unsupervised Learning of Disentangled Representations from Video*, NeurIPS 2017,
    https://arxiv.org/abs/1705.10915. With :math:`C` the probability that a pair is of one domain,
    :math:`-\frac{1}{2} [\log C(\text{same}) + \log(1 - C(\text{different}))]`: 0 at best, ``log 2`` where it
    can tell nothing.

    Args:
        same: ``(B,)`` logits of pairs of one domain.
        different: ``(B',)`` logits of pairs of two domains.

    Returns:
        A scalar, in float32.
    """
    return (F.softplus(-same.float()).mean() + F.softplus(different.float()).mean()) / 2


def confusion_loss(logits: torch.Tensor) -> torch.Tensor:
    r"""What codes are trained with against the discriminator: that it be undecided of pairs of one domain.

    :math:`-\frac{1}{2} [\log C + \log(1 - C)]`, smallest, ``log 2``, where every :math:`C` is one half; the
    discriminator, not the codes, is to be held fixed. Source as above.

    Args:
        logits: ``(B,)`` logits of pairs of one domain.

    Returns:
        A scalar, in float32.
    """
    return discrimination_loss(logits, logits)
