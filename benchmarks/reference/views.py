"""Positive views, computed for one PIL image at a time."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

SIZE = 64
Transform = Callable[[Image.Image], Image.Image]

TRANSFORMS: dict[str, Transform] = {
    "horizontal_flip": v2.RandomHorizontalFlip(p=1.0),
    "vertical_flip": v2.RandomVerticalFlip(p=1.0),
    "low_contrast": v2.ColorJitter(contrast=(0.3, 0.8)),
    "low_brightness": v2.ColorJitter(brightness=(0.3, 0.8)),
    "color_rotation": v2.RandomChoice([v2.ColorJitter(hue=(0.2, 0.5)), v2.ColorJitter(hue=(-0.5, -0.2))]),
    "random_erase": v2.Compose([v2.PILToTensor(), v2.RandomErasing(p=1.0), v2.ToPILImage()]),
    "affine": v2.RandomAffine(degrees=40, fill=255),
    "grayscale": v2.RandomGrayscale(p=1.0),
    "crop": v2.RandomResizedCrop(SIZE, scale=(0.5, 1.0)),
    "high_brightness": v2.ColorJitter(brightness=(1.4, 1.8)),
    "high_contrast": v2.ColorJitter(contrast=(1.8, 3.0)),
    "high_saturation": v2.ColorJitter(saturation=(1.8, 3.0)),
    "gaussian_blur": v2.GaussianBlur(5, sigma=1.0),
    "simsiam": v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.6, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.3),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(1.0, 2.0))], p=0.2),
        ]
    ),
}
"""torchvision's transform for each augmentation."""


def views(images: npt.NDArray[np.uint8], names: Sequence[str]) -> Tensor:
    """Make a view of every image by one of the named augmentations, drawn separately for each image.

    Args:
        images: ``(B, 64, 64, 3)``.
        names: Augmentations.

    Returns:
        ``(B, 3, 64, 64)`` float32 in [0, 1].
    """
    transform: Transform = v2.RandomChoice([TRANSFORMS[name] for name in names])
    made = [np.array(transform(Image.fromarray(image))) for image in images]
    return torch.stack([torch.from_numpy(view).permute(2, 0, 1).float() / 255 for view in made])
