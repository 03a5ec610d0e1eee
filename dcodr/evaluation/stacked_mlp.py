"""Several small networks of one architecture, computed as one."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StackedMLP(nn.Module):
    """Independent networks on the same inputs.

    Each network is [linear without bias, BatchNorm, LeakyReLU] x (layers - 1), then linear with bias.
    Activations have the layout ``(networks, features, images)``: one batched matrix product serves all
    networks, and BatchNorm over ``networks * features`` channels keeps their statistics separate.

    Args:
        n_inputs: Length of an input, which all networks share.
        n_outputs: Number of outputs of each network.
        layers: Number of linear layers, the last one included; 1 makes every network linear.
        hidden: Width of the hidden layers.
        seeds: Seed of each network, which is initialised like ``nn.Linear`` by a separate generator, so that
            it does not depend on the others.
    """

    def __init__(
        self, n_inputs: int, n_outputs: Sequence[int], layers: int, hidden: int, seeds: Sequence[int]
    ):
        super().__init__()
        sizes = list(pairwise([n_inputs] + [hidden] * (layers - 1)))
        weights, heads, biases = [], [], []
        for outputs, seed in zip(n_outputs, seeds, strict=True):
            # A new generator for every network: its weights do not depend on the number of networks.
            generator = torch.Generator().manual_seed(seed)
            weights.append([_uniform((n_out, n_in), n_in, generator) for n_in, n_out in sizes])
            features = hidden if sizes else n_inputs
            heads.append(_uniform((outputs, features), features, generator))
            biases.append(_uniform((outputs,), features, generator))
        self.weights = nn.ParameterList([torch.stack(layer) for layer in zip(*weights, strict=True)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(len(n_outputs) * hidden) for _ in sizes])
        self.heads = nn.ParameterList(heads)
        self.biases = nn.ParameterList(biases)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return outputs ``(B, n_outputs)`` of each network for inputs ``(B, n_inputs)``."""
        hidden = inputs.T.expand(len(self.heads), -1, -1)
        for weight, norm in zip(self.weights, self.norms, strict=True):
            hidden = weight @ hidden
            hidden = F.leaky_relu(norm(hidden.flatten(0, 1)[None])).view_as(hidden)
        return [
            F.linear(features.T, head, bias)
            for features, head, bias in zip(hidden, self.heads, self.biases, strict=True)
        ]

    def state_of(self, network: int) -> list[Tensor]:
        """Return views of all weights and BatchNorm statistics of one network."""
        # Tensors with one dimension only: `num_batches_tracked` is a scalar that all networks share.
        stacked = [weight.detach() for weight in self.weights] + [
            values.view(len(self.heads), -1)
            for norm in self.norms
            for values in norm.state_dict().values()
            if values.dim() == 1
        ]
        return [values[network] for values in stacked] + [
            self.heads[network].detach(),
            self.biases[network].detach(),
        ]


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> Tensor:
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
