"""Convolutions as matrix products, for maps where that is faster on a CPU."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALL = 4
"""Largest width of a result, in pixels, for which one matrix product per kernel pixel is faster."""


class MatrixConv2d(nn.Conv2d):
    """``nn.Conv2d`` without bias, with odd square kernels that keep the size of a map or halve it.

    A CPU's convolutions work along the rows of a map. On maps of a few pixels, as in ResNet's last layers for
    64x64 images, they reach a third of the speed of a matrix product in float32 and less in bfloat16. On such
    maps each pixel of the kernel becomes a matrix product. A kernel of one pixel becomes one on every map.
    All other cases, including GPUs and compiled or exported graphs, use the plain convolution.

    Shapes: ``(B, in_channels, H, W)`` to ``(B, out_channels, ceil(H / stride), ceil(W / stride))``.
    """

    @classmethod
    def like(cls, conv: nn.Conv2d) -> "MatrixConv2d":
        """Make a matrix convolution that shares the parameters of another convolution.

        Raises:
            ValueError: If the other convolution is not of the kind described above.
        """
        size, stride = conv.kernel_size, conv.stride
        plain = conv.groups == 1 and conv.dilation == (1, 1) and conv.bias is None and len({*size}) == 1
        if not plain or size[0] % 2 == 0 or stride[0] != stride[1] or conv.padding != (size[0] // 2,) * 2:
            raise ValueError(f"cannot replace {conv} with matrix products")
        # On the meta device no second weight is allocated and no random number is drawn.
        made = cls(
            conv.in_channels, conv.out_channels, size[0], stride[0], size[0] // 2, bias=False, device="meta"
        )
        made.weight = conv.weight
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Convolve maps."""
        if x.device.type != "cpu" or torch.compiler.is_compiling() or _tracing():
            return super().forward(x)
        (size, _), (stride, _) = self.kernel_size, self.stride
        if size == 1:
            rows = (x if stride == 1 else x[:, :, ::stride, ::stride]).permute(0, 2, 3, 1)
            return F.linear(rows, self.weight.flatten(1)).permute(0, 3, 1, 2)
        if x.shape[3] > SMALL * stride:
            return super().forward(x)
        weight = self.weight
        # Cast here, so that the backward pass, which runs outside of autocast, uses the same type.
        if torch.is_autocast_enabled("cpu"):
            x, weight = (values.to(torch.get_autocast_dtype("cpu")) for values in (x, weight))
        result: Tensor = _SumOfProducts.apply(x, weight, stride)
        return result


def as_matrix_products(network: nn.Module) -> None:
    """Replace the convolutions of a network in place, except the one that reads the image.

    Args:
        network: A network whose other convolutions all suit :meth:`MatrixConv2d.like`.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.in_channels > 3:
                setattr(module, name, MatrixConv2d.like(child))


def _tracing() -> bool:
    """Tell whether a TorchScript graph is traced, which has no place for :class:`_SumOfProducts`."""
    return torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call,no-any-return]


class _SumOfProducts(torch.autograd.Function):
    """A convolution as one matrix product per kernel pixel; products with the padding are skipped.

    Sums are computed in float32 or wider.
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
    """Yield for each kernel pixel its position, the pixels that it reads, and the result pixels it adds to.

    Both are regions of maps ``(B, H, W, C)`` of equal size. Kernel pixels that read only padding are skipped.
    """
    rows, columns = (
        [(place, *_along(place - size // 2, stride, length)) for place in range(size)]
        for length in (height, width)
    )
    for (i, seen_rows, made_rows), (j, seen_columns, made_columns) in itertools.product(rows, columns):
        if made_rows.start < made_rows.stop and made_columns.start < made_columns.stop:
            yield (i, j), (slice(None), seen_rows, seen_columns), (slice(None), made_rows, made_columns)


def _along(offset: int, stride: int, length: int) -> tuple[slice, slice]:
    """Return the positions ``stride * made + offset`` within ``length``, and the possible ``made``."""
    # The first and the last result position whose input position is within the map.
    first = max(0, -(offset // stride))
    last = min((length - 1) // stride, (length - 1 - offset) // stride)
    start = stride * first + offset
    return slice(start, stride * last + offset + 1, stride), slice(first, last + 1)
