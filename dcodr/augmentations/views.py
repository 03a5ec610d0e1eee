"""The named augmentations, and the positive views that a set of them makes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal, get_args

import torch
from torch import Generator, Tensor

from dcodr.augmentation_names import canonical, strengths_of, wrong_strengths
from dcodr.augmentations import draws
from dcodr.augmentations.blur import gaussian_blur, kernel_size_of
from dcodr.augmentations.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    grayscale,
)
from dcodr.augmentations.geometry import crop, erase, flip_horizontal, flip_vertical, rotate
from dcodr.errors import UserError

Kernel = Callable[..., Tensor]
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


TABLE: dict[str, Callable[..., tuple[draws.Draw, Kernel]]] = {
    "horizontal_flip": lambda: (draws.no_parameters, flip_horizontal),
    "vertical_flip": lambda: (draws.no_parameters, flip_vertical),
    "low_contrast": lambda low, high: (draws.uniform(low, high), adjust_contrast),
    "low_brightness": lambda low, high: (draws.uniform(low, high), adjust_brightness),
    "color_rotation": lambda low, high: (draws.hue_turn(low, high), adjust_hue),
    "random_erase": lambda max_area: (draws.erase_boxes(max_area), erase),
    "affine": lambda degrees: (draws.uniform(-degrees, degrees), rotate),
    "grayscale": lambda: (draws.no_parameters, grayscale),
    "crop": lambda min_scale: (draws.crop_boxes(min_scale), crop),
    "high_brightness": lambda low, high: (draws.uniform(low, high), adjust_brightness),
    "high_contrast": lambda low, high: (draws.uniform(low, high), adjust_contrast),
    "high_saturation": lambda low, high: (draws.uniform(low, high), adjust_saturation),
    "gaussian_blur": lambda sigma: (
        draws.constant(sigma),
        partial(gaussian_blur, kernel_size=kernel_size_of(sigma)),
    ),
    "simsiam": lambda: (draws.simsiam_parameters, simsiam),
}
"""For each augmentation, given its strengths, how its parameters are drawn and the kernel they go to."""


class Augment:
    """Makes positive views with a set of augmentations.

    Random numbers come from a CPU generator wherever the images are, and nothing waits for the device.

    Example:
        >>> images = torch.rand(8, 3, 64, 64)
        >>> view = Augment(("crop", "gaussian_blur"))(images, torch.Generator().manual_seed(0))
        >>> view.shape
        torch.Size([8, 3, 64, 64])
    """

    def __init__(
        self,
        names: Sequence[str],
        mode: Mode = "one",
        strengths: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        """Choose the members and how they make a view.

        Args:
            names: Members of :data:`dcodr.augmentation_names.AUGMENTATIONS`; their order does not matter.
            mode: ``one``: every image is changed by one member, each as likely, as in the official code;
                ``compose``: by all of them in canonical order.
            strengths: By augmentation, e.g. ``{"affine": {"degrees": 10}}``, as listed in
                :data:`dcodr.augmentation_names.STRENGTHS`; what is not given is the paper's, and what is
                given for none of the members has no effect.

        Raises:
            UserError: If the names are none, unknown or repeated, the mode is unknown, or a strength is
                unknown or out of its bounds.
        """
        if mode not in get_args(Mode):
            raise UserError(
                f"augmentation mode: received {mode!r}; choose one of {', '.join(get_args(Mode))}"
            )
        for key, message in wrong_strengths(strengths):
            raise UserError(f"strengths: received {dict(strengths)!r}: {'.'.join(key)}: {message}")
        self.names = canonical(names)
        self.mode = mode
        self.strengths = {name: strengths_of(name, strengths) for name in self.names}

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
        views = make(images, generator)
        channels_last = images.is_contiguous(memory_format=torch.channels_last)
        return views.contiguous(memory_format=torch.channels_last) if channels_last else views

    def _one(self, images: Tensor, generator: Generator) -> Tensor:
        views = torch.empty_like(images, memory_format=torch.contiguous_format)
        member_of = torch.randint(len(self.names), (len(images),), generator=generator)
        for member, name in enumerate(self.names):
            index = (member_of == member).nonzero().squeeze(1)
            if len(index):
                index = index.to(images.device, non_blocking=True)
                views.index_copy_(0, index, self._apply(name, images.index_select(0, index), generator))
        return views

    def _compose(self, images: Tensor, generator: Generator) -> Tensor:
        for name in self.names:
            images = self._apply(name, images, generator)
        return images

    def _apply(self, name: str, images: Tensor, generator: Generator) -> Tensor:
        draw, kernel = TABLE[name](**self.strengths[name])
        n, _, height, width = images.shape
        parameters = draw((n, height, width), generator)
        there = (parameter.to(images.device, non_blocking=True) for parameter in parameters)
        # The kernels work on planes of colour, which is up to five times as fast as interleaved pixels.
        return kernel(images.contiguous(), *there)
