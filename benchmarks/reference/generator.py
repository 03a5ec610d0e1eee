"""The generator: upsampling, convolution and AdaIN as separate operations."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdaptiveInstanceNorm(nn.Module):
    """Plain version of :class:`dcodr.models.adain.AdaptiveInstanceNorm`."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(style_dim, channels)
        self.shift = nn.Linear(style_dim, channels)
        self.norm = nn.InstanceNorm2d(channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Normalise, then scale and shift by the style."""
        scale, shift = self.scale(style)[:, :, None, None], self.shift(style)[:, :, None, None]
        normalised = self.norm(x)
        styled: Tensor = normalised * scale + shift
        return styled


class Generator(nn.Module):
    """Plain version of :class:`dcodr.models.generator.Generator`, with the same parameter names."""

    def __init__(self, code_dim: int, n_domains: int, domain_dim: int, channels: int, image_size: int):
        super().__init__()
        side = image_size // 16
        area = side * side
        self.domain_embedding = nn.Embedding(n_domains, domain_dim)
        self.to_map = nn.Sequential(
            nn.Linear(code_dim, area * channels // 8),
            nn.LeakyReLU(),
            nn.Linear(area * channels // 8, area * channels // 4),
            nn.LeakyReLU(),
            nn.Linear(area * channels // 4, area * channels),
            nn.LeakyReLU(),
            nn.Unflatten(1, (channels, side, side)),
        )
        self.upsample = nn.Upsample(scale_factor=2)
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))
        self.norms = nn.ModuleList(AdaptiveInstanceNorm(channels, domain_dim) for _ in range(4))
        self.to_image = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 5, padding=2),
            nn.LeakyReLU(),
            nn.Conv2d(channels // 4, 3, 7, padding=3),
        )

    def forward(self, codes: Tensor, domain: Tensor) -> Tensor:
        """Generate images of codes in the style of their domains."""
        style = self.domain_embedding(domain)
        x = self.to_map(codes)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.leaky_relu(conv(self.upsample(x))), style)
        images: Tensor = torch.sigmoid(self.to_image(x))
        return images
