"""The distance of generated images from the real ones, computed for one part of the batch at a time."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PART = 32


def reconstruction_error(
    decoder: nn.Module, distance: nn.Module, codes: Tensor, style: Tensor, images: Tensor
) -> Tensor:
    """Return the distance of ``decoder(codes, style)`` to ``images``; gradients need the memory of one part.

    The images of a batch do not depend on each other here. Gradients are therefore computed immediately for
    :data:`PART` images at a time, and only the gradients are kept until the backward pass. The backward pass
    cannot be differentiated again.

    Args:
        decoder: Makes images from codes and styles, each image independently; all its parameters learn.
        distance: Mean over the images of the distance between two batches of images, a scalar.
        codes: ``(B, code_dim)``.
        style: ``(B, style_dim)`` styles, or ``(B,)`` int64 domain labels.
        images: ``(B, 3, H, W)`` float32 in [0, 1]; constant.

    Returns:
        A scalar. Gradients reach codes, style and the parameters of ``decoder``.
    """
    # The decoder's parameters are arguments only so that autograd passes their gradients on.
    error: Tensor = _InParts.apply(decoder, distance, images, codes, style, *decoder.parameters())
    return error


class _InParts(torch.autograd.Function):
    """The error, with gradients that are computed in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        decoder: nn.Module,
        distance: nn.Module,
        images: Tensor,
        codes: Tensor,
        style: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        total = torch.zeros((), device=images.device)
        of_inputs: list[list[Tensor]] = []
        of_parameters = [torch.zeros_like(parameter) for parameter in parameters]
        parts = zip(*(torch.split(values, PART) for values in (images, codes, style)), strict=True)
        for target, *inputs in parts:
            inputs = [values.detach().requires_grad_(values.is_floating_point()) for values in inputs]
            learned = [values for values in inputs if values.requires_grad]
            # Weighted by the part's size: the sum over parts is the mean over the batch.
            with torch.enable_grad():
                error = distance(decoder(*inputs), target) * (len(target) / len(images))
            gradients = torch.autograd.grad(error, (*learned, *parameters))
            total += error.detach()
            of_inputs.append(list(gradients[: len(learned)]))
            torch._foreach_add_(of_parameters, gradients[len(learned) :])
        ctx.save_for_backward(*(torch.cat(parts) for parts in zip(*of_inputs, strict=True)), *of_parameters)
        ctx.style_learns = style.is_floating_point()
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        codes, *rest = (saved * gradient for saved in ctx.saved_tensors)
        style, parameters = (rest[0], rest[1:]) if ctx.style_learns else (None, rest)
        return None, None, None, codes, style, *parameters
