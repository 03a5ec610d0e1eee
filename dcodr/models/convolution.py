"""Convolutions as matrix products, where a CPU is faster that way."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALL = 4
"""Width in pixels of the largest map whose pixels are worth gathering into a matrix."""


class MatrixConv2d(nn.Conv2d):
    """``nn.Conv2d`` of odd square kernels that keep the size of a map or halve it, without bias.

    A CPU's convolutions work along the rows of a map. In maps of a few pixels, as ResNet's last layers have
    for images of 64x64, they reach a third of the speed of a matrix product in float32 and less in bfloat16.
    So there, and where the kernel is a single pixel, the patches under the kernel become rows of a matrix.
    Elsewhere, on a GPU, and in an exported graph it is the plain convolution.

    Shapes: ``(B, in_channels, H, W)`` to ``(B, out_channels, ceil(H / stride), ceil(W / stride))``.
    """

    @classmethod
    def like(cls, conv: nn.Conv2d) -> "MatrixConv2d":
        """One with the very parameters of another convolution.

        Raises:
            ValueError: If that is not of the kind described above.
        """
        size, stride = conv.kernel_size, conv.stride
        plain = conv.groups == 1 and conv.dilation == (1, 1) and conv.bias is None and len({*size}) == 1
        if not plain or size[0] % 2 == 0 or stride[0] != stride[1] or conv.padding != (size[0] // 2,) * 2:
            raise ValueError(f"no matrix product is made of {conv}")
        made = cls(
            conv.in_channels, conv.out_channels, size[0], stride[0], size[0] // 2, bias=False, device="meta"
        )
        made.weight = conv.weight
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        (size, _), (stride, _) = self.kernel_size, self.stride
        if size == 1:
            rows = (x if stride == 1 else x[:, :, ::stride, ::stride]).permute(0, 2, 3, 1)
            return F.linear(rows, self.weight.flatten(1)).permute(0, 3, 1, 2)
        if x.shape[3] > SMALL * stride:
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            x, weight = (values.to(torch.get_autocast_dtype("cpu")) for values in (x, weight))
        result: Tensor = _ProductOfPatches.apply(x, weight, stride)
        return result


def as_matrix_products(network: nn.Module) -> None:
    """Replace the convolutions of a network, in place, but for the one that sees the image.

    Args:
        network: Its convolutions are those that :meth:`MatrixConv2d.like` takes.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.in_channels > 3:
                setattr(module, name, MatrixConv2d.like(child))


class _ProductOfPatches(torch.autograd.Function):
    """The convolution; for the gradient of its input the products are added where the patches came from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        size = weight.shape[2]
        padded = F.pad(x, (size // 2,) * 4).permute(0, 2, 3, 1)
        patches = torch.cat([padded[window] for window in _windows(padded, size, stride)], dim=3)
        matrix = weight.permute(0, 2, 3, 1).flatten(1)
        ctx.save_for_backward(patches, matrix)
        ctx.geometry = padded.shape, weight.shape, stride
        return (patches @ matrix.T).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        patches, matrix = ctx.saved_tensors
        shape, (n_out, n_in, size, _), stride = ctx.geometry
        gradient = gradient.permute(0, 2, 3, 1)
        padded = gradient.new_zeros(shape)
        parts = (gradient @ matrix).split(n_in, dim=3)
        for window, part in zip(_windows(padded, size, stride), parts, strict=True):
            padded[window] += part
        margin = slice(size // 2, -(size // 2))
        of_weight = gradient.flatten(0, 2).T @ patches.flatten(0, 2)
        return (
            padded[:, margin, margin].permute(0, 3, 1, 2),
            of_weight.view(n_out, size, size, n_in).permute(0, 3, 1, 2),
            None,
        )


def _windows(padded: Tensor, size: int, stride: int) -> list[tuple[slice, ...]]:
    """For each pixel of the kernel, row by row, where it falls in padded maps ``(B, H, W, C)``."""
    rows, columns = (
        [slice(first, length - size + 1 + first, stride) for first in range(size)]
        for length in padded.shape[1:3]
    )
    return [(slice(None), row, column) for row in rows for column in columns]
