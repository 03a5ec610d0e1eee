"""An encoder that prepares images by itself, so that its users cannot prepare them wrongly."""

import math
import warnings

import torch
from torch import Tensor, nn

from dcodr.models.encoder import Fit

_BITS = 22
"""Binary places of the weights with which Pillow resizes images of 8 bits a channel."""


class Square(nn.Module):
    """Images as squares, resized by Lanczos resampling.

    The result equals Pillow's, which ``embed`` uses, to the last bit: Pillow computes with whole numbers, and
    float64 holds these exactly, on every device and in every runtime. Pillow resizes first along the rows,
    then along the columns, and rounds in between. Pillow 13 does the reverse for some tall images; their
    pixels differ by a level, or by more beside hard edges.

    Args:
        size: Height and width of the squares, in pixels.
        fit: ``crop`` takes the largest central square, ``pad`` the whole image between white bars,
            ``stretch`` the whole image with its sides scaled differently.

    Shapes:
        images ``(B, H, W, 3)`` uint8 RGB of any height and width; squares ``(B, 3, size, size)`` float32 in
        [0, 1].
    """

    def __init__(self, size: int, fit: Fit = "crop") -> None:
        super().__init__()
        self.size = size
        self.fit = fit

    def forward(self, images: Tensor) -> Tensor:
        """Prepare images."""
        # Lengths are tensors: a graph for images of any size cannot compare plain numbers.
        rows, columns = (
            torch.arange(length, dtype=torch.float64, device=images.device) for length in images.shape[1:3]
        )
        height, width = rows[-1] + 1, columns[-1] + 1
        of_rows, of_columns = self._weights(rows, width), self._weights(columns, height)
        pixels = images.permute(0, 3, 1, 2).double()
        pixels = _rounded(of_rows @ _rounded(pixels @ of_columns.T))
        if self.fit == "pad":
            bare = (of_rows.sum(dim=1) == 0)[:, None] | (of_columns.sum(dim=1) == 0)
            pixels = pixels + 255 * bare
        return pixels.float() / 255

    def _weights(self, places: Tensor, across: Tensor) -> Tensor:
        """Return ``(size, n)`` weights of an image's pixels in the pixels of the square along one axis.

        Args:
            places: ``(n,)`` positions along the axis, from 0.
            across: Length of the other axis.
        """
        length = places[-1] + 1
        taken, made = length, torch.full_like(length, self.size)
        if self.fit == "crop":
            taken = torch.minimum(length, across)
        elif self.fit == "pad":
            made = torch.round(length * self.size / torch.maximum(length, across)).clamp(min=1)
        target = torch.arange(self.size, dtype=torch.float64, device=places.device)
        target = target - torch.floor((self.size - made) / 2)
        scale = taken / made
        centre = (length - taken) / 2 + (target + 0.5) * scale
        at = (places + 0.5 - centre[:, None]) * (1 / scale.clamp(min=1.0))
        weights = torch.where(at.abs() < 3, _sinc(at) * _sinc(at / 3), torch.zeros_like(at))
        weights = weights / weights.sum(dim=1, keepdim=True) * 2**_BITS
        weights = torch.where(weights < 0, torch.ceil(weights - 0.5), torch.floor(weights + 0.5))
        within = (target >= 0) & (target < made)
        return torch.where(within[:, None], weights, torch.zeros_like(weights))


class ImageEncoder(nn.Module):
    """An encoder together with the preparation of its images.

    Args:
        encoder: Maps images ``(B, 3, size, size)``, float in [0, 1], to codes ``(B, code_dim)``.
        size: Height and width of the images that the encoder was trained on, in pixels.
        fit: How these became squares, see :class:`Square`.

    Shapes:
        images ``(B, H, W, 3)`` uint8 RGB of any height and width; codes ``(B, code_dim)`` float32 of length
        1.
    """

    def __init__(self, encoder: nn.Module, size: int, fit: Fit = "crop") -> None:
        super().__init__()
        self.square = Square(size, fit)
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        """Encode images."""
        codes: Tensor = self.encoder(self.square(images))
        return codes


def traced(encoder: ImageEncoder, images: Tensor) -> torch.jit.ScriptModule:
    """Return an encoder as a TorchScript graph for images of any size on the CPU, always in evaluation mode.

    Args:
        encoder: The encoder, on the CPU and in evaluation mode.
        images: Images, none of whose sizes are equal: an equal one could become a constant of the graph.
    """
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # advice to PyTorch's own developers
        graph: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            encoder, images, check_trace=False
        )
    return graph


def _rounded(sums: Tensor) -> Tensor:
    return torch.floor((sums + 2 ** (_BITS - 1)) / 2**_BITS).clamp(0, 255)


def _sinc(x: Tensor) -> Tensor:
    turned = x * math.pi
    return torch.where(x == 0, torch.ones_like(x), torch.sin(turned) / turned)
