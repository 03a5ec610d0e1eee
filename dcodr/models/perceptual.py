"""Distances between images, in pixels and in the features of a frozen network."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from dcodr.errors import UserError
from dcodr.words import option

Backbone = Literal["vgg16", "vgg19", "squeezenet1_1"]

DEFAULT_LAYERS: Mapping[Backbone, tuple[int, ...]] = {
    "vgg16": (3, 8, 13, 22, 30),
    "vgg19": (3, 8, 13, 24, 36),
    "squeezenet1_1": (1, 4, 7, 10, 12),
}
"""Five layers of each backbone's ``features``; for both VGGs relu1_2, relu2_2, relu3_2, relu4_3 and pool5.

The official code names the convolutions 2, 7, 12, 21 and pool5 of ``vgg16``. The in-place ReLUs after them
overwrite their outputs, so it compares relu1_2 to relu4_3. The layers here give the same distance.
"""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PerceptualDistance(nn.Module):
    """Mean absolute difference of pixels plus that of a frozen network's features, summed over layers.

    This is the distance of LORD (https://arxiv.org/abs/1906.11796) and DCoDR. The network is never trained
    and stays in evaluation mode. Gradients flow through it only to ``output``.

    Args:
        features: Layers to apply in turn, e.g. from :func:`backbone_features`. They are frozen in place.
        layers: Positions in ``features`` whose outputs are compared.
        normalise: True to normalise images by ImageNet's mean and deviation before ``features``, as its
            weights expect. The official code does not.

    Shapes:
        output and target ``(B, 3, H, W)`` in [0, 1]; the result is a scalar.

    Raises:
        UserError: If a layer is outside ``features``.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, features: nn.Sequential, layers: Sequence[int], normalise: bool = True) -> None:
        super().__init__()
        _require_layers(layers, len(features), "the backbone")
        self.features = features[: max(layers) + 1].requires_grad_(False).eval()
        for module in self.features:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # otherwise it would overwrite the output of the previous layer
        self.layers = frozenset(layers)
        self.normalise = normalise
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> "PerceptualDistance":
        """Stay in evaluation mode, regardless of the mode of the containing module."""
        return super().train(False)

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compare a generated batch with the real one."""
        # The target is constant, so its features need no gradients and no memory for them.
        with torch.no_grad():
            wanted = self.compared(target)
        pairs = zip(self.compared(output), wanted, strict=True)
        return torch.stack([F.l1_loss(ours, theirs) for ours, theirs in pairs]).sum()

    def compared(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the compared tensors: images ``(B, 3, H, W)``, then features ``(B, C, h, w)`` by layer."""
        compared = [images]
        x = (images - self.mean) / self.std if self.normalise else images
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.layers:
                compared.append(x)
        return compared


def distance_of_each(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the perceptual distance of every image, ``(B,)``.

    Its mean over the batch is the distance of the batch.

    Args:
        ours: Result of :meth:`PerceptualDistance.compared` for the first images.
        theirs: The same for the second images.
    """
    pairs = zip(ours, theirs, strict=True)
    return torch.stack([(a - b).abs().flatten(1).mean(dim=1) for a, b in pairs]).sum(dim=0)


def backbone_features(name: Backbone, last_layer: int) -> nn.Sequential:
    """Build layers ``0..last_layer`` of the ``features`` of torchvision's network, with random weights.

    Raises:
        UserError: If the network has no such layer.
    """
    from torchvision.models import squeezenet1_1, vgg  # see dcodr.models.trunks

    features: nn.Sequential
    if name == "squeezenet1_1":
        features = squeezenet1_1().features
    else:  # without the classifier, whose 120 million random weights take seconds
        features = vgg.make_layers(vgg.cfgs[{"vgg16": "D", "vgg19": "E"}[name]])
    _require_layers([last_layer], len(features), name)
    return features[: last_layer + 1]


def require_size(features: nn.Sequential, size: int, name: Backbone) -> None:
    """Refuse images that are too small for a network's layers.

    Args:
        features: Layers of :func:`backbone_features`.
        size: Height and width of the images, in pixels.
        name: The network, for the message.

    Raises:
        UserError: If a layer would have no output.
    """
    side = size
    for layer in features:
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            kernel, stride, padding = (
                _one(value) for value in (layer.kernel_size, layer.stride, layer.padding)
            )
            rounded = math.ceil if getattr(layer, "ceil_mode", False) else math.floor
            side = rounded((side + 2 * padding - kernel) / stride) + 1
        if side < 1:
            raise UserError(
                f"images of {size} pixels are too small for {name}: prepare them with "
                f"{option('image-size', 64)}, or compare pixels alone with perceptual.backbone: pixel"
            )


def _one(value: object) -> int:
    """Return the size along one axis."""
    return int(value[0]) if isinstance(value, tuple) else int(str(value))


def _require_layers(layers: Sequence[int], n_layers: int, owner: str) -> None:
    wrong = [layer for layer in layers if not 0 <= layer < n_layers]
    if wrong:
        raise UserError(
            f"perceptual.layers asks for layer {wrong[0]}, but {owner} has layers 0 to {n_layers - 1}"
        )
