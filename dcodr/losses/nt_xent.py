"""SimCLR's contrastive loss: negatives come from the whole batch."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class NTXentLoss(nn.Module):
    r"""Pull the two views of an image together, push each away from all other views of the batch.

    Chen et al., *A Simple Framework for Contrastive Learning of Visual Representations*, ICML 2020,
    https://arxiv.org/abs/2002.05709, equation 1. With the :math:`2B` codes :math:`z` of both views, :math:`t`
    the temperature and :math:`p(i)` the other view of the same image as :math:`i`,

    .. math::
        L = \frac{1}{2B} \sum_i
            \Big[ \log \sum_{j \neq i} e^{z_i \cdot z_j / t} - z_i \cdot z_{p(i)} / t \Big].

    Domains are ignored, so codes of different domains are pushed apart too. The loss is always computed in
    float32: the division by a low temperature would amplify autocast's rounding errors.

    Args:
        temperature: Positive.

    Shapes:
        anchors and positives ``(B, code_dim)``, L2-normalised; the result is a scalar.

    Raises:
        ValueError: If the temperature is not positive and finite. When called, if the shapes differ or there
            are fewer than 2 images.

    Example:
        >>> codes = F.normalize(torch.randn(128, 64), dim=1)
        >>> NTXentLoss(temperature=0.2)(codes, codes).shape
        torch.Size([])
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"temperature is {temperature}; it must be positive and finite")
        self.temperature = temperature

    def forward(self, anchors: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        """Compare every view with all others."""
        n = len(anchors)
        if anchors.shape != positives.shape or n < 2:
            raise ValueError(
                f"received anchors {tuple(anchors.shape)} and positives {tuple(positives.shape)}; expected "
                "equal shapes and at least 2 images"
            )
        with torch.autocast(anchors.device.type, enabled=False):
            views = torch.cat([anchors, positives]).float()
            itself = torch.eye(2 * n, dtype=torch.bool, device=views.device)
            logits = (views @ views.T / self.temperature).masked_fill(itself, -math.inf)
            # The target of view i is the other view of its image, at i + n or i - n.
            other = torch.arange(2 * n, device=views.device).roll(n)
            return F.cross_entropy(logits, other)
