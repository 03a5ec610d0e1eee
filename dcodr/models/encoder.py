"""The encoder, which maps an image to an L2-normalised code (embedding)."""

import hashlib
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from dcodr.models.trunks import build_trunk

Fit = Literal["crop", "pad", "stretch"]
"""The same as ``dcodr.data.dataset.FitMode``, which models do not import."""


class Encoder(nn.Module):
    """A trunk that ends with a layer ``code_dim`` wide, an optional head, and L2 normalisation.

    The paper uses ``resnet50``, with the head for SmallNORB and Shapes3D (supplement, section 2). All trunks
    are in :mod:`dcodr.models.trunks`.

    The official code starts from MoCo-v2 and keeps the first layer of its projection head, so ``resnet50``
    has 2048 -> 2048 -> ``code_dim``. As in the official code, there is no activation between these two
    layers: MoCo-v2's ReLU after its hidden layer is omitted.

    Args:
        arch: The trunk, see :func:`dcodr.models.trunks.build_trunk`.
        code_dim: Width of the codes.
        head: True if three linear layers, ``code_dim`` wide with LeakyReLU between, follow the trunk.
        hidden_layer: True if a linear layer as wide as the features precedes the last layer of a ResNet.
        image_size: Height and width of the images to encode, in pixels, if known. Some trunks are built for
            one size.

    Attributes:
        code_dim: Width of the codes.
        image_size: Height and width of the images that it was trained on, in pixels, if known.
        fit: How these became squares; see :func:`dcodr.data.sources.image_files.square`.
        origin: Record of its training, an ``Origin`` of ``dcodr.training.origin``, if known.

    Raises:
        ValueError: If a hidden layer is requested for another trunk than a ResNet.
        UserError: If there is no such trunk, its package is not allowed, or it cannot encode images.

    Shapes:
        images ``(B, 3, H, W)`` float in [0, 1], ``H`` and ``W`` at least 16; codes ``(B, code_dim)`` float32.
    """

    def __init__(
        self,
        arch: str,
        code_dim: int = 128,
        head: bool = False,
        hidden_layer: bool = False,
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        self.code_dim = code_dim
        self.image_size = image_size
        self.fit: Fit = "crop"
        self.origin: object | None = None
        self.trunk = build_trunk(arch, code_dim, hidden_layer, image_size)
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

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile the networks that both :meth:`forward` and :meth:`raw` run."""
        self.trunk.compile(*args, **options)
        self.head.compile(*args, **options)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights, in hexadecimal, whatever file and device they are in."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            # As bytes, because NumPy lacks some types, e.g. bfloat16.
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()
