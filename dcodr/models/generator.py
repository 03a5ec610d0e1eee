"""The generator, which makes an image from a code and a style; AdaIN applies the style of the domain."""

import torch
import torch.nn.functional as F
from torch import nn

from dcodr.errors import UserError
from dcodr.models.adain import AdaptiveInstanceNorm
from dcodr.words import option

N_BLOCKS = 4


class UpsampleConv2d(nn.Conv2d):
    """Nearest upsampling by two, then a 3x3 convolution with padding 1, in one operation.

    Kernel taps that meet copies of one input pixel can be added beforehand. The two operations then equal a
    4x4 transposed convolution of stride 2, with 4 instead of 9 products per output value. The parameters
    remain those of the 3x3 convolution.

    Shapes: ``(B, in_channels, H, W)`` to ``(B, out_channels, 2H, 2W)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample and convolve."""
        # Sums of 2x2 neighbouring taps. A transposed convolution applies its kernel flipped.
        kernel = F.avg_pool2d(self.weight.flip(2, 3), 2, stride=1, padding=1, divisor_override=1)
        return F.conv_transpose2d(x, kernel.transpose(0, 1), self.bias, stride=2, padding=1)


class Decoder(nn.Module):
    """A network that makes an image from a code and a style, both vectors.

    The architecture is LORD's (Gabbay & Hoshen, *Demystifying Inter-Class Disentanglement*, ICLR 2020,
    https://arxiv.org/abs/1906.11796). Three linear layers make a ``channels``-wide map of a sixteenth of the
    image's size. Four blocks of upsampling, convolution and AdaIN enlarge it to full size. Two convolutions
    convert it to an image.

    Args:
        code_dim: Width of the codes.
        style_dim: Width of the styles.
        channels: Width of the convolutions, a multiple of 8. The paper has 256; 32 is practical on a CPU.
        image_size: Height and width of the images in pixels, a multiple of 16.

    Shapes:
        codes ``(B, code_dim)``, styles ``(B, style_dim)``; images ``(B, 3, image_size, image_size)`` in
        [0, 1].

    Raises:
        UserError: If ``image_size`` is not a multiple of 16 or ``channels`` not a multiple of 8.
    """

    def __init__(self, code_dim: int, style_dim: int, channels: int = 256, image_size: int = 64) -> None:
        super().__init__()
        if image_size < 16 or image_size % 16:
            raise UserError(
                f"images of {image_size} pixels; the generator needs a multiple of 16: prepare them with "
                f"{option('image-size', 64)}, or train a method without reconstruction"
            )
        if channels < 8 or channels % 8:
            raise UserError(f"generator.channels is {channels}; the generator needs a multiple of 8")
        side = image_size // 2**N_BLOCKS
        widths = [side * side * width for width in (channels // 8, channels // 4, channels)]
        self.to_map = nn.Sequential(
            nn.Linear(code_dim, widths[0]),
            nn.LeakyReLU(inplace=True),
            nn.Linear(widths[0], widths[1]),
            nn.LeakyReLU(inplace=True),
            nn.Linear(widths[1], widths[2]),
            nn.LeakyReLU(inplace=True),
            nn.Unflatten(1, (channels, side, side)),
        )
        self.convs = nn.ModuleList(UpsampleConv2d(channels, channels) for _ in range(N_BLOCKS))
        self.norms = nn.ModuleList(AdaptiveInstanceNorm(channels, style_dim) for _ in range(N_BLOCKS))
        self.to_image = nn.Sequential(
            nn.Conv2d(channels, channels // 4, kernel_size=5, padding=2),
            nn.LeakyReLU(inplace=True),
            nn.Conv2d(channels // 4, 3, kernel_size=7, padding=3),
        )

    def forward(self, codes: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Generate the image of every code in its style."""
        x = self.to_map(codes).contiguous(memory_format=torch.channels_last)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.leaky_relu(conv(x), inplace=True), style)
        return torch.sigmoid(self.to_image(x).float())


class Generator(Decoder):
    """A decoder for DCoDR's reconstruction, from code and domain: every domain learns its style.

    Args:
        code_dim: Width of the codes.
        n_domains: Number of domains; each learns one embedding, initialised uniformly in +-0.05.
        domain_dim: Width of a domain's embedding.
        channels: As in :class:`Decoder`.
        image_size: As in :class:`Decoder`.

    Shapes:
        codes ``(B, code_dim)``, domain ``(B,)`` int64; images ``(B, 3, image_size, image_size)`` in [0, 1].

    Raises:
        UserError: As :class:`Decoder`.
    """

    def __init__(
        self, code_dim: int, n_domains: int, domain_dim: int = 256, channels: int = 256, image_size: int = 64
    ) -> None:
        # Drawn before the other weights: the order determines the weights that a seed gives.
        embedding = nn.Embedding(n_domains, domain_dim)
        nn.init.uniform_(embedding.weight, -0.05, 0.05)
        super().__init__(code_dim, domain_dim, channels, image_size)
        self.domain_embedding = embedding

    def forward(self, codes: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        """Generate the image of every code in the style of its domain."""
        return super().forward(codes, self.domain_embedding(domain))

    def parts(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters that make images, and those of the domain embeddings."""
        embedding = list(self.domain_embedding.parameters())
        return [p for p in self.parameters() if not any(p is e for e in embedding)], embedding
