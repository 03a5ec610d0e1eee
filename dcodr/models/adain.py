"""Adaptive instance normalisation, which applies the style of a domain."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

EPSILON = 1e-5


class AdaptiveInstanceNorm(nn.Module):
    """Instance normalisation whose scale and shift are linear in a domain embedding.

    Huang & Belongie, *Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization*, ICCV 2017,
    https://arxiv.org/abs/1703.06868.

    Shapes: ``x`` ``(B, channels, H, W)``, ``embedding`` ``(B, domain_dim)``; the result has the shape of
    ``x``, channels-last.
    """

    def __init__(self, channels: int, domain_dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(domain_dim, channels)
        self.shift = nn.Linear(domain_dim, channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Give every channel of every image the mean and deviation of its domain."""
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        scale, shift = self.scale(embedding)[:, None], self.shift(embedding)[:, None]
        styled: Tensor = _RescaledColumns.apply(rows, scale, shift)
        return styled.view(batch, height, width, channels).permute(0, 3, 1, 2)


class _RescaledColumns(torch.autograd.Function):
    r"""Normalisation of columns of ``(B, n, C)``, then scaling and shifting by ``(B, 1, C)`` each.

    PyTorch's instance normalisation works on planes of channels. On channels-last data it takes four times as
    long, including copies, and keeps a third tensor of full size for the gradient. With :math:`\hat x` the
    normalised columns, :math:`s` the scale and :math:`g` the gradient of the result,

    .. math::
        \partial x = \frac{s}{\sigma} \Big[ g - \overline{g} - \hat x \, \overline{g \hat x} \Big].

    Statistics are computed in float32 or wider.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        wide = torch.promote_types(rows.dtype, torch.float32)
        mean = rows.mean(dim=1, keepdim=True, dtype=wide).to(rows.dtype)
        centred = rows - mean
        inverse = (centred.square().mean(dim=1, keepdim=True, dtype=wide) + EPSILON).rsqrt_()
        # The centred rows are recomputed in the backward pass, which saves a tensor of full size.
        ctx.save_for_backward(rows, mean, inverse, scale)
        return torch.addcmul(shift.to(rows.dtype), centred, (scale * inverse).to(rows.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, mean, inverse, scale = ctx.saved_tensors
        n, centred, factor = rows.shape[1], rows - mean, scale * inverse
        shift_gradient = gradient.sum(dim=1, keepdim=True, dtype=inverse.dtype)
        scale_gradient = (gradient * centred).sum(dim=1, keepdim=True, dtype=inverse.dtype) * inverse
        constant = (-factor * shift_gradient / n).to(rows.dtype)
        slope = (-factor * inverse * scale_gradient / n).to(rows.dtype)
        rows_gradient = torch.addcmul(constant, gradient, factor.to(rows.dtype)).addcmul_(centred, slope)
        return rows_gradient, scale_gradient.to(scale.dtype), shift_gradient.to(scale.dtype)
