"""Probes: networks trained on frozen codes to find out what the codes say of each factor.

The probes of all factors are trained in one vectorised pass, yet none depends on any other: each has its own
weights, BatchNorm statistics and early stopping, and starts as it would alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HELD_OUT_FRACTION = 0.1
_PREDICT_BATCH = 4096


@dataclass(frozen=True)
class ProbeBudget:
    """How large the probes are and how long they train.

    Attributes:
        layers: Number of linear layers, the last one included.
        hidden: Width of the hidden layers.
        epochs: Largest number of passes over the codes.
        batch_size: Codes a step.
        learning_rate: Adam's step size, constant.
        patience: A probe stops once more than this many epochs have passed since its best one.
    """

    layers: int
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int


PAPER = ProbeBudget(layers=6, hidden=64, epochs=200, batch_size=128, learning_rate=1e-3, patience=7)
"""The official evaluation's six-layer network and schedule; its learning rate never decays in effect."""

FAST = ProbeBudget(layers=3, hidden=128, epochs=30, batch_size=512, learning_rate=5e-3, patience=5)
"""For use inside a search."""


class StackedMLP(nn.Module):
    """One network a factor, all computed together: [linear, BatchNorm, LeakyReLU] x (layers - 1), linear.

    Activations are laid out ``(factors, features, images)``: one batched matrix product serves all factors, and a
    BatchNorm over ``factors * features`` channels keeps their statistics apart.

    Args:
        code_dim: Length of a code.
        n_outputs: Number of outputs of each factor's network.
        layers: Number of linear layers, the last one included.
        hidden: Width of the hidden layers.
        seed: Each network is initialised, as ``nn.Linear`` is, by a new generator with this seed.
    """

    def __init__(self, code_dim: int, n_outputs: Sequence[int], layers: int, hidden: int, seed: int):
        super().__init__()
        shapes = [(n_out, n_in) for n_in, n_out in pairwise([code_dim] + [hidden] * (layers - 1))]
        networks = []
        for n_out in n_outputs:
            generator = torch.Generator().manual_seed(seed)
            networks.append([_uniform(shape, shape[1], generator) for shape in [*shapes, (n_out, hidden), (n_out,)]])
        *trunk, heads, biases = zip(*networks, strict=True)
        self.weights = nn.ParameterList([torch.stack(layer) for layer in trunk])
        self.norms = nn.ModuleList([nn.BatchNorm1d(len(n_outputs) * hidden) for _ in trunk])
        self.heads = nn.ParameterList(heads)
        self.biases = nn.ParameterList(biases)

    def forward(self, codes: Tensor) -> list[Tensor]:
        """Outputs ``(B, n_outputs)`` of each factor's network for codes ``(B, code_dim)``."""
        hidden = codes.T.expand(len(self.heads), -1, -1)
        for weight, norm in zip(self.weights, self.norms, strict=True):
            hidden = weight @ hidden
            hidden = F.leaky_relu(norm(hidden.flatten(0, 1)[None])).view_as(hidden)
        heads = zip(hidden, self.heads, self.biases, strict=True)
        return [F.linear(features.T, head, bias) for features, head, bias in heads]
