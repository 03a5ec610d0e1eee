"""Convolutions as matrix products, where a CPU is faster that way."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALL = 4
"""Width in pixels of the largest result that is worth a matrix product for every pixel of a kernel."""


class MatrixConv2d(nn.Conv2d):
    """``nn.Conv2d`` of odd square kernels that keep the size of a map or halve it, without bias.

    A CPU's convolutions work along the rows of a map. In maps of a few pixels, as ResNet's last layers have
    for images of 64x64, they reach a third of the speed of a matrix product in float32 and less in bfloat16.
    So there each pixel of the kernel is a matrix product, and a kernel of one pixel is one everywhere.
    Elsewhere, on a GPU, and in a compiled or exported graph it is the plain convolution.

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
        result: Tensor = _SumOfProducts.apply(x, weight, stride)
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


class _SumOfProducts(torch.autograd.Function):
    """The convolution as one matrix product for each pixel of the kernel, without those with the padding.

    Sums are at least float32.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        n, height, width, _ = rows.shape
        shape = n, -(-height // stride), -(-width // stride), len(weight)
        result = rows.new_zeros(shape, dtype=torch.promote_types(x.dtype, torch.float32))
        for (i, j), seen, made in _meetings(weight.shape[2], stride, height, width):
            result[made] += rows[seen] @ weight[:, :, i, j].T
        ctx.save_for_backward(rows, weight)
        ctx.stride = stride
        return result.to(x.dtype).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, weight = ctx.saved_tensors
        gradient = gradient.permute(0, 2, 3, 1)
        of_rows = torch.zeros_like(rows, dtype=torch.promote_types(rows.dtype, torch.float32))
        of_weight = torch.zeros_like(weight)
        for (i, j), seen, made in _meetings(weight.shape[2], ctx.stride, *rows.shape[1:3]):
            of_made = gradient[made]
            of_rows[seen] += of_made @ weight[:, :, i, j]
            of_weight[:, :, i, j] = of_made.flatten(0, 2).T @ rows[seen].flatten(0, 2)
        return of_rows.to(rows.dtype).permute(0, 3, 1, 2), of_weight, None


Region = tuple[slice, slice, slice]


def _meetings(
    size: int, stride: int, height: int, width: int
) -> Iterator[tuple[tuple[int, int], Region, Region]]:
    """For each pixel of the kernel: its place, the pixels that it sees, those of the result that it adds to.

    Both are regions of maps ``(B, H, W, C)``, as large as each other. Pixels that see nothing are left out.
    """
    rows, columns = (
        [(place, *_along(place - size // 2, stride, length)) for place in range(size)]
        for length in (height, width)
    )
    for (i, seen_rows, made_rows), (j, seen_columns, made_columns) in itertools.product(rows, columns):
        if made_rows.start < made_rows.stop and made_columns.start < made_columns.stop:
            yield (i, j), (slice(None), seen_rows, seen_columns), (slice(None), made_rows, made_columns)


def _along(offset: int, stride: int, length: int) -> tuple[slice, slice]:
    """The pixels ``stride * made + offset`` within ``length`` and the ``made`` that there are."""
    first = max(0, -(offset // stride))
    last = min((length - 1) // stride, (length - 1 - offset) // stride)
    start = stride * first + offset
    return slice(start, stride * last + offset + 1, stride), slice(first, last + 1)
