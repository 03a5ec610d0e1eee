"""The augmentations by name, and the positive views that a set of them makes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Generator, Tensor

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
from dcodr.augmentations.names import canonical, strengths_of, wrong_strengths
from dcodr.augmentations.outside import Outside
from dcodr.errors import UserError

Kernel = Callable[..., Tensor]
Mode = Literal["one", "compose"]
Drawn = Sequence[tuple[str, Sequence[Any]]]
"""Augmentations with their drawn parameters: tensors, and for one from outside also a seed, an ``int``."""


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
    """Crop, mirror, jitter the colours, convert to gray, and blur with three taps.

    The steps run in the order of the arguments. torchvision's ``ColorJitter`` shuffles its four steps.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        boxes: ``(B, 4)``, see :func:`dcodr.augmentations.geometry.crop`.
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
"""Maps each augmentation to a function of its strengths, which returns its draw and its kernel."""


class Augment:
    """Make positive views with a set of augmentations.

    Random numbers always come from a CPU generator, on whichever device the images are. Nothing waits for the
    device.

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
        """Choose the members and the mode that combines them.

        Args:
            names: Members of :data:`dcodr.augmentations.names.AUGMENTATIONS`, or names of augmentations from
                outside (:mod:`dcodr.augmentations.outside`); their order does not matter.
            mode: ``one`` changes every image by one member, drawn uniformly, as in the official code;
                ``compose`` changes it by all members in canonical order.
            strengths: By augmentation, e.g. ``{"affine": {"degrees": 10}}``, as listed in
                :data:`dcodr.augmentations.names.STRENGTHS`. Missing strengths are the paper's. Strengths of
                augmentations that are not members have no effect.

        Raises:
            UserError: If there is no name, a name is unknown or repeated, the mode is unknown, a strength is
                unknown or out of bounds, or a package from outside is not allowed.
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
        self._table = {name: TABLE[name] if name in TABLE else Outside(name).parts for name in self.names}

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
        _require_images(images)
        n, _, height, width = images.shape
        drawn = self.draw((n, height, width), generator)
        return self.apply(
            images,
            [(name, [_moved(part, images.device) for part in parts]) for name, parts in drawn],
        )

    def draw(self, shape: draws.BatchShape, generator: Generator) -> Drawn:
        """Draw everything random in the views of a batch.

        Args:
            shape: ``(B, H, W)``.
            generator: A CPU generator.

        Returns:
            The members to apply, in order, with their parameters. In mode ``one`` the positions of a member's
            images precede its parameters.
        """
        n, height, width = shape
        if self.mode == "compose":
            return [(name, self._parameters(name, shape, generator)) for name in self.names]
        # Draw the member of every image first. Then each member's kernel runs once, on all of its images.
        member_of = torch.randint(len(self.names), (n,), generator=generator)
        drawn = []
        for member, name in enumerate(self.names):
            index = (member_of == member).nonzero().squeeze(1)
            if len(index):
                drawn.append((name, [index, *self._parameters(name, (len(index), height, width), generator)]))
        return drawn

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Make views from drawn parameters.

        Args:
            images: See :meth:`__call__`.
            drawn: The result of :meth:`draw`, on the images' device.

        Returns:
            See :meth:`__call__`.

        Raises:
            ValueError: If the images have another shape or type.
        """
        _require_images(images)
        views = self._one(images, drawn) if self.mode == "one" else self._compose(images, drawn)
        channels_last = images.is_contiguous(memory_format=torch.channels_last)
        return views.contiguous(memory_format=torch.channels_last) if channels_last else views

    def _one(self, images: Tensor, drawn: Drawn) -> Tensor:
        views = torch.empty_like(images, memory_format=torch.contiguous_format)
        for name, (index, *parameters) in drawn:
            views.index_copy_(0, index, self._changed(name, images.index_select(0, index), parameters))
        return views

    def _compose(self, images: Tensor, drawn: Drawn) -> Tensor:
        for name, parameters in drawn:
            images = self._changed(name, images, parameters)
        return images

    def _parameters(self, name: str, shape: draws.BatchShape, generator: Generator) -> list[Any]:
        draw, _ = self._table[name](**self.strengths[name])
        return list(draw(shape, generator))

    def _changed(self, name: str, images: Tensor, parameters: Sequence[Any]) -> Tensor:
        _, kernel = self._table[name](**self.strengths[name])
        # Kernels on planes of colour are up to five times as fast as on interleaved pixels.
        return kernel(images.contiguous(), *parameters)


def _moved(part: Any, device: torch.device) -> Any:
    return part.to(device, non_blocking=True) if isinstance(part, Tensor) else part


def _require_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.float32:
        raise ValueError(
            f"images: expected float32 (B, 3, H, W), received {images.dtype} {tuple(images.shape)}"
        )
