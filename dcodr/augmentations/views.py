"""The named augmentations, and the positive views that a set of them makes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Generator, Tensor

from dcodr.augmentation_names import canonical
from dcodr.augmentations import draws
from dcodr.augmentations.blur import gaussian_blur
from dcodr.augmentations.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    grayscale,
)
from dcodr.augmentations.geometry import crop, erase, flip_horizontal, flip_vertical, rotate
from dcodr.errors import UserError

Mode = Literal["one", "compose"]


def simsiam(
    images: Tensor,
    boxes: Tensor,
    mirrored: Tensor,
    brightness: Tensor,
    contrast: Tensor,
    saturation: Tensor,
    hue: Tensor,
    gray: Tensor,
    sigma: Tensor,
) -> Tensor:
    """Crop, mirror, jitter the colours, turn gray, and blur with three taps.

    Unlike torchvision's ``ColorJitter``, which shuffles its four steps, the order is that of the arguments.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        boxes: ``(B, 4)`` as :func:`dcodr.augmentations.geometry.crop` takes them.
        mirrored: ``(B,)`` bool.
        brightness: ``(B,)`` factor; 1 changes nothing, here and in the next two.
        contrast: ``(B,)`` factor.
        saturation: ``(B,)`` factor.
        hue: ``(B,)`` turn; 0 changes nothing.
        gray: ``(B,)`` bool.
        sigma: ``(B,)`` width of the blur in pixels; 0.001 changes nothing.

    Returns:
        ``(B, 3, H, W)`` in [0, 1].
    """
    images = crop(images, boxes)
    images = torch.where(mirrored[:, None, None, None], flip_horizontal(images), images)
    images = adjust_brightness(images, brightness)
    images = adjust_contrast(images, contrast)
    images = adjust_saturation(images, saturation)
    images = adjust_hue(images, hue)
    images = torch.where(gray[:, None, None, None], grayscale(images), images)
    return gaussian_blur(images, sigma, kernel_size=3)


TABLE: dict[str, tuple[draws.Draw, Callable[..., Tensor]]] = {
    "horizontal_flip": (draws.no_parameters, flip_horizontal),
    "vertical_flip": (draws.no_parameters, flip_vertical),
    "low_contrast": (draws.uniform(0.3, 0.8), adjust_contrast),
    "low_brightness": (draws.uniform(0.3, 0.8), adjust_brightness),
    "color_rotation": (draws.hue_turn, adjust_hue),
    "random_erase": (draws.erase_boxes, erase),
    "affine": (draws.uniform(-40.0, 40.0), rotate),
    "grayscale": (draws.no_parameters, grayscale),
    "crop": (draws.crop_boxes(min_scale=0.5), crop),
    "high_brightness": (draws.uniform(1.4, 1.8), adjust_brightness),
    "high_contrast": (draws.uniform(1.8, 3.0), adjust_contrast),
    "high_saturation": (draws.uniform(1.8, 3.0), adjust_saturation),
    "gaussian_blur": (draws.constant(1.0), partial(gaussian_blur, kernel_size=5)),
    "simsiam": (draws.simsiam_parameters, simsiam),
}
"""For each augmentation, how its parameters are drawn (supplement, section 1.3) and the kernel they go to."""


def augment(name: str, images: Tensor, generator: Generator) -> Tensor:
    """Apply one augmentation with new parameters for every image; see :class:`Augment` for the arguments."""
    draw, kernel = TABLE[name]
    n, _, height, width = images.shape
    parameters = draw((n, height, width), generator)
    return kernel(images, *(parameter.to(images.device, non_blocking=True) for parameter in parameters))


class Augment:
    """Makes positive views with a set of augmentations.

    Random numbers come from a CPU generator wherever the images are, and nothing waits for the device.

    Example:
        >>> images = torch.rand(8, 3, 64, 64)
        >>> view = Augment(("crop", "gaussian_blur"))(images, torch.Generator().manual_seed(0))
        >>> view.shape
        torch.Size([8, 3, 64, 64])
    """

    def __init__(self, names: Sequence[str], mode: Mode = "one") -> None:
        """Choose the members and how they make a view.

        Args:
            names: Members of :data:`dcodr.augmentation_names.AUGMENTATIONS`; their order does not matter.
            mode: ``one``: every image is changed by one member, each as likely, as in the official code;
                ``compose``: by all of them in canonical order.

        Raises:
            UserError: If the names are none, unknown or repeated, or the mode is unknown.
        """
        if mode not in get_args(Mode):
            raise UserError(
                f"augmentation mode: received {mode!r}; choose one of {', '.join(get_args(Mode))}"
            )
        self.names = canonical(names)
        self.mode = mode

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Make a view of every image.

        Args:
            images: ``(B, 3, H, W)`` float32 in [0, 1], in any memory format; it is not modified.
            generator: A CPU generator; the same state gives the same views.

        Returns:
            A new tensor of the same shape and range, channels-last if the images are.

        Raises:
            ValueError: If the images have another shape or type.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.float32:
            raise ValueError(
                f"images: expected float32 (B, 3, H, W), received {images.dtype} {tuple(images.shape)}"
            )
        make = self._one if self.mode == "one" else self._compose
        # The kernels work on planes of colour, which is up to five times as fast as interleaved pixels.
        views = make(images.contiguous(), generator)
        channels_last = images.is_contiguous(memory_format=torch.channels_last)
        return views.contiguous(memory_format=torch.channels_last) if channels_last else views

    def _one(self, images: Tensor, generator: Generator) -> Tensor:
        views = torch.empty_like(images)
        member_of = torch.randint(len(self.names), (len(images),), generator=generator)
        for member, name in enumerate(self.names):
            index = (member_of == member).nonzero().squeeze(1)
            if len(index):
                index = index.to(images.device, non_blocking=True)
                views.index_copy_(0, index, augment(name, images.index_select(0, index), generator))
        return views

    def _compose(self, images: Tensor, generator: Generator) -> Tensor:
        for name in self.names:
            images = augment(name, images, generator)
        return images
