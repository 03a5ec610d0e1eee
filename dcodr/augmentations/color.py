"""Changes of colour, each with one parameter per image.

Images are ``(B, 3, H, W)`` float32 RGB in [0, 1]; so are the results. The definitions are those of
``torchvision.transforms.v2.functional`` for float tensors.
"""

import torch
from torch import Tensor


def _luma(images: Tensor) -> Tensor:
    """Return the brightness of every pixel, ``(B, 1, H, W)``, by torchvision's rounded ITU-R 601 weights."""
    red, green, blue = images.unbind(1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)[:, None]


def _blend(base: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Interpolate from ``base`` (factor 0) to ``images`` (factor 1); extrapolate above 1."""
    return torch.lerp(base, images, factor[:, None, None, None]).clamp_(0.0, 1.0)


def grayscale(images: Tensor) -> Tensor:
    """Replace every pixel with its brightness, in three equal channels."""
    return _luma(images).repeat(1, 3, 1, 1)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply every image by its factor, ``(B,)``; 0 is black, 1 changes nothing."""
    return (images * factor[:, None, None, None]).clamp_(0.0, 1.0)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance from the image's mean brightness by its factor, ``(B,)``; 1 changes nothing."""
    return _blend(_luma(images).mean(dim=(2, 3), keepdim=True), images, factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance from the grayscale image by its factor, ``(B,)``; 0 is gray, 1 changes nothing."""
    return _blend(_luma(images), images, factor)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue; keep saturation and value in HSV.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        turn: ``(B,)`` in whole turns of the colour wheel; 0.5 gives the opposite hue.

    Returns:
        ``(B, 3, H, W)`` in [0, 1].
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    # Compute the hue in sixths of a turn from red. Each third of the wheel starts at its primary colour.
    # The bound avoids a division by zero at gray pixels, which have chroma 0 and no hue.
    divisor = chroma.clamp_min(1e-12)
    from_green = torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    hue = torch.where(value == red, (green - blue) / divisor, from_green)
    # Convert back to RGB. Along the wheel a channel falls from `value` by `chroma` over one sixth, stays for
    # two, and rises again. The three channels follow this curve, shifted by 5, 3 and 1 sixths.
    steps = torch.arange(5, 0, -2, device=images.device)[:, None, None]
    phase = (hue[:, None] + steps).div_(6).add_(turn[:, None, None, None])
    phase -= phase.floor()  # five times as fast as `remainder`
    fall = (2 - phase.mul_(6).sub_(2).abs_()).clamp_(0.0, 1.0)
    return value[:, None] - fall.mul_(chroma[:, None])
