"""The discriminator of DrNet, which decides if two codes belong to one domain."""

import torch
from torch import nn


class PairDiscriminator(nn.Module):
    """Two hidden layers with ReLU on two concatenated codes, as wide as in DrNet's PyTorch code.

    Args:
        code_dim: Width of a code.
        hidden: Width of the hidden layers.

    Shapes:
        one and other ``(B, code_dim)``; the result is ``(B,)`` logits of belonging to one domain.
    """

    def __init__(self, code_dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * code_dim, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 1),
        )

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Score pairs of codes."""
        logits: torch.Tensor = self.layers(torch.cat([one, other], dim=1)).squeeze(1)
        return logits
