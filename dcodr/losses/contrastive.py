"""The contrastive loss of DCoDR: negatives come from the anchor's own domain."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class DomainContrastiveLoss(nn.Module):
    r"""Pull an image's code towards that of its view, push it away from other images of its own domain.

    Kahana & Hoshen, *A Contrastive Objective for Learning Disentangled Representations*, ECCV 2022,
    https://arxiv.org/abs/2203.11284. With the codes :math:`a` of the anchors and :math:`p` of their views,
    :math:`t` the temperature and :math:`D(i)` the images of the batch in the domain of image :math:`i`,

    .. math::
        L = \frac{1}{B} \sum_i \Big[ \log \Big( e^{a_i \cdot p_i / t}
            + \sum_{j \in D(i), j \neq i} e^{a_i \cdot a_j / t} \Big) - a_i \cdot p_i / t \Big].

    Only the ``(n_domains, n, n)`` similarities within domains are computed, always in float32: the division
    by a low temperature would amplify autocast's rounding errors.

    Args:
        temperature: Positive; low values emphasise the most similar negatives. The paper has 0.1 or 0.2.
        n_domains: Domains in a batch.

    Shapes:
        anchors and positives ``(n_domains * n, code_dim)``, L2-normalised, laid out domain by domain, ``n``
        images each; the result is a scalar.

    Raises:
        ValueError: If the temperature is not positive and finite or ``n_domains`` is not positive. When
            called, if the shapes differ or the batch is not ``n_domains`` blocks of at least 2 images.

    Example:
        >>> loss = DomainContrastiveLoss(temperature=0.2, n_domains=4)
        >>> codes = F.normalize(torch.randn(4 * 32, 128), dim=1)
        >>> loss(codes, codes).shape
        torch.Size([])
    """

    def __init__(self, temperature: float, n_domains: int) -> None:
        super().__init__()
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"temperature is {temperature}; it must be positive and finite")
        if n_domains < 1:
            raise ValueError(f"n_domains is {n_domains}; it must be positive")
        self.temperature = temperature
        self.n_domains = n_domains

    def forward(self, anchors: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        """Compare every anchor with its view and its domain."""
        n, rest = divmod(len(anchors), self.n_domains)
        if anchors.shape != positives.shape or rest or n < 2:
            raise ValueError(
                f"received anchors {tuple(anchors.shape)} and positives {tuple(positives.shape)}; expected "
                f"equal shapes and {self.n_domains} domains of equally many images, at least 2"
            )
        with torch.autocast(anchors.device.type, enabled=False):
            a = anchors.float().view(self.n_domains, n, -1)
            p = positives.float().view(self.n_domains, n, -1)
            negative = a @ a.transpose(1, 2)
            positive = (a * p).sum(dim=2, keepdim=True)
            # The positive takes the anchor's own place among its negatives. The loss is then a cross-entropy
            # whose target is that place.
            itself = torch.eye(n, dtype=torch.bool, device=a.device)
            logits = torch.where(itself, positive, negative) / self.temperature
            own = torch.arange(n, device=a.device).repeat(self.n_domains)
            return F.cross_entropy(logits.flatten(0, 1), own)
