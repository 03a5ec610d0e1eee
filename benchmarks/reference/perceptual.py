"""The perceptual distance with a trainable network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PerceptualDistance(nn.Module):
    """Plain version of :class:`dcodr.models.perceptual.PerceptualDistance`, not normalised and not frozen.

    Images and targets both pass through the network with gradients, which also reach its weights.
    """

    def __init__(self, features: nn.Sequential, layers: Sequence[int]) -> None:
        super().__init__()
        self.features = features
        self.layers = layers

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compare pixels and features of two batches."""
        distances = [F.l1_loss(output, target)]
        for index, layer in enumerate(self.features):
            output, target = layer(output), layer(target)
            if index in self.layers:
                distances.append(F.l1_loss(output, target))
        return torch.stack(distances).sum()
