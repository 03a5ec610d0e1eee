"""The encoder, which maps an image to an L2-normalised code (embedding)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18, resnet50

from dcodr.models.convolution import as_matrix_products

Arch = Literal["small", "resnet18", "resnet50"]


class Encoder(nn.Module):
    """A convolutional trunk, one or two linear layers, an optional head, and L2 normalisation.

    The paper uses ``resnet50``, with the head for SmallNORB and Shapes3D (supplement, section 2). ``small``
    is designed for CPUs, see :func:`small_trunk`.

    The official code starts from MoCo-v2 and keeps the first layer of its projection head, so ``resnet50``
    has 2048 -> 2048 -> ``code_dim``. As in the official code, there is no activation between these two
    layers: MoCo-v2's ReLU after its hidden layer is omitted.

    Args:
        arch: The trunk; its last layer is linear, to ``code_dim``.
        code_dim: Width of the codes.
        head: True if three linear layers, ``code_dim`` wide with LeakyReLU between, follow the trunk.
        hidden_layer: True if a linear layer as wide as the features precedes the trunk's last layer.

    Attributes:
        image_size: Height and width of the images that it was trained on, in pixels, if known.
        origin: Record of its training, an ``Origin`` of ``dcodr.training.origin``, if known.

    Raises:
        ValueError: If a hidden layer is requested for the small encoder.

    Shapes:
        images ``(B, 3, H, W)`` float in [0, 1], ``H`` and ``W`` at least 16; codes ``(B, code_dim)`` float32.
    """

    def __init__(
        self, arch: Arch, code_dim: int = 128, head: bool = False, hidden_layer: bool = False
    ) -> None:
        super().__init__()
        self.image_size: int | None = None
        self.origin: object | None = None
        if arch == "small" and hidden_layer:
            raise ValueError("the small encoder has no hidden layer")
        self.trunk = small_trunk(code_dim) if arch == "small" else _resnet(arch, code_dim, hidden_layer)
        self.head: nn.Module = nn.Identity()
        if head:
            self.head = nn.Sequential(
                nn.Linear(code_dim, code_dim),
                nn.LeakyReLU(inplace=True),
                nn.Linear(code_dim, code_dim),
                nn.LeakyReLU(inplace=True),
                nn.Linear(code_dim, code_dim),
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Encode images."""
        return F.normalize(self.raw(images), dim=1)

    def raw(self, images: torch.Tensor) -> torch.Tensor:
        """Encode images without normalising, ``(B, code_dim)`` float32."""
        codes: torch.Tensor = self.head(self.trunk(images)).float()
        return codes


def small_trunk(code_dim: int) -> nn.Module:
    """Build a trunk of three convolutions for CPUs, with about 0.9 million parameters.

    It is fast because the first convolution reduces the resolution to a quarter; its 8x8 windows overlap by
    half. The last map is kept as a 4x4 grid, not averaged, because pose depends on the positions of things.

    At 64x64 the maps are 64 x 16x16, 128 x 8x8 and 256 x 4x4; other sizes are pooled to the same grid.
    """
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=8, stride=4, padding=2, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.Conv2d(128, 256, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(256 * 4 * 4, code_dim),
    )


def _resnet(arch: Literal["resnet18", "resnet50"], code_dim: int, hidden_layer: bool) -> nn.Module:
    """Build torchvision's ResNet with random weights and a classifier ``fc`` as wide as a code.

    With a hidden layer, ``fc.0`` is that layer, as in MoCo-v2, and ``fc.1`` is the classifier.
    """
    build = {"resnet18": resnet18, "resnet50": resnet50}[arch]
    trunk: nn.Module = build(num_classes=code_dim)
    if hidden_layer:
        last = trunk.get_submodule("fc")
        assert isinstance(last, nn.Linear)
        # `last` keeps its weights: only the new hidden layer draws random numbers.
        trunk.fc = nn.Sequential(nn.Linear(last.in_features, last.in_features), last)
    as_matrix_products(trunk)
    return trunk
