"""An encoder that prepares images by itself, so that its users cannot prepare them wrongly."""

import math

import torch
from torch import Tensor, nn

_BITS = 22
"""Binary places of the weights with which Pillow resizes images of 8 bits a channel."""


class Square(nn.Module):
    """The largest central square of images, resized by Lanczos resampling.

    The result equals Pillow's, which ``embed`` uses, to the last bit: Pillow computes with whole numbers, and
    float64 holds these exactly, on every device and in every runtime. Pillow resizes first along the rows,
    then along the columns, and rounds in between. Pillow 13 does the reverse for some tall images; their
    pixels differ by a level, or by more beside hard edges.

    Args:
        size: Height and width of the squares, in pixels.

    Shapes:
        images ``(B, H, W, 3)`` uint8 RGB of any height and width; squares ``(B, 3, size, size)`` float32 in
        [0, 1].
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Prepare images."""
        # The side is computed from tensors: a graph for images of any size cannot compare plain numbers.
        rows, columns = (
            torch.arange(length, dtype=torch.float64, device=images.device) for length in images.shape[1:3]
        )
        side = torch.minimum(rows[-1], columns[-1]) + 1
        pixels = images.permute(0, 3, 1, 2).double()
        pixels = _rounded(pixels @ self._weights(columns, side).T)
        pixels = _rounded(self._weights(rows, side) @ pixels)
        return pixels.float() / 255

    def _weights(self, places: Tensor, side: Tensor) -> Tensor:
        """Return ``(size, n)`` weights of an image's pixels in the pixels of the square along one axis.

        Args:
            places: ``(n,)`` positions along the axis, from 0.
            side: Side of the square in the image, in pixels.
        """
        scale = side / self.size
        start = (places[-1] + 1 - side) / 2
        made = torch.arange(self.size, dtype=torch.float64, device=places.device)
        centre = start + (made + 0.5) * scale
        at = (places + 0.5 - centre[:, None]) * (1 / scale.clamp(min=1.0))
        weights = torch.where(at.abs() < 3, _sinc(at) * _sinc(at / 3), torch.zeros_like(at))
        weights = weights / weights.sum(dim=1, keepdim=True) * 2**_BITS
        return torch.where(weights < 0, torch.ceil(weights - 0.5), torch.floor(weights + 0.5))


class ImageEncoder(nn.Module):
    """An encoder together with the preparation of its images.

    Args:
        encoder: Maps images ``(B, 3, size, size)``, float in [0, 1], to codes ``(B, code_dim)``.
        size: Height and width of the images that the encoder was trained on, in pixels.

    Shapes:
        images ``(B, H, W, 3)`` uint8 RGB of any height and width; codes ``(B, code_dim)`` float32 of length
        1.
    """

    def __init__(self, encoder: nn.Module, size: int) -> None:
        super().__init__()
        self.square: nn.Module = Square(size)
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        """Encode images."""
        codes: Tensor = self.encoder(self.square(images))
        return codes


def _rounded(sums: Tensor) -> Tensor:
    return torch.floor((sums + 2 ** (_BITS - 1)) / 2**_BITS).clamp(0, 255)


def _sinc(x: Tensor) -> Tensor:
    turned = x * math.pi
    return torch.where(x == 0, torch.ones_like(x), torch.sin(turned) / turned)
