"""Encoding of images as codes (embeddings)."""

import itertools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcodr.precision import float32_products

Images = npt.NDArray[np.uint8] | Tensor
"""``(N, H, W, 3)`` uint8 RGB: an array, possibly memory-mapped, or a tensor, on a GPU or not."""


def float_images(images: Images, indices: npt.NDArray[np.int64], device: torch.device) -> Tensor:
    """Read chosen images as ``(n, 3, H, W)`` float32 in [0, 1], channels-last."""
    if isinstance(images, Tensor):
        batch = images.index_select(0, torch.from_numpy(indices).to(images.device)).to(device)
    else:
        batch = torch.from_numpy(images[indices]).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(255)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters and buffers; without any, the CPU."""
    tensor = next(itertools.chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


@float32_products(tf32=False)
def embed(
    encoder: nn.Module,
    images: Images,
    indices: npt.NDArray[np.int64],
    batch_size: int = 512,
) -> Tensor:
    """Encode chosen images, unaugmented and without gradients.

    The encoder runs in evaluation mode. Afterwards each of its modules returns to its previous mode. Only one
    batch at a time is read from ``images`` and converted to float. A GPU computes in full float32.

    Args:
        encoder: Maps float images ``(B, 3, H, W)`` in [0, 1], channels-last in memory, to ``(B, d)``, on its
            own device.
        images: See :data:`Images`.
        indices: ``(n,)`` positions of the images to encode.
        batch_size: Images per forward pass.

    Returns:
        ``(n, d)`` float32 codes on the encoder's device, L2-normalised, in the order of ``indices``.
    """
    # Modules are remembered one by one: a frozen one within the encoder stays in evaluation mode.
    training = [module for module in encoder.modules() if module.training]
    encoder.eval()
    device = device_of(encoder)
    codes = []
    try:
        with torch.inference_mode():
            for start in range(0, len(indices), batch_size):
                code = encoder(float_images(images, indices[start : start + batch_size], device))
                codes.append(F.normalize(code.float(), dim=1))
    finally:
        for module in training:
            module.training = True
    return torch.cat(codes)
