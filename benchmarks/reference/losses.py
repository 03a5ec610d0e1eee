"""The contrastive loss, computed anchor by anchor."""

import torch
from torch import Tensor


def contrastive_loss(anchors: Tensor, positives: Tensor, temperature: float, n_domains: int) -> Tensor:
    """Compute the loss of :class:`dcodr.losses.contrastive.DomainContrastiveLoss` by its definition.

    Args:
        anchors: ``(n_domains * n, code_dim)``, domain by domain.
        positives: Same shape as ``anchors``.
        temperature: Temperature.
        n_domains: Domains in the batch.

    Returns:
        A scalar.
    """
    n = len(anchors) // n_domains
    losses = []
    for i in range(len(anchors)):
        others = torch.tensor([j for j in range(i // n * n, i // n * n + n) if j != i])
        positive = anchors[i] @ positives[i]
        negatives = anchors[others] @ anchors[i]
        compared = torch.cat([positive[None], negatives]) / temperature
        losses.append(torch.logsumexp(compared, dim=0) - positive / temperature)
    return torch.stack(losses).mean()
