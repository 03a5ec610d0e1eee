"""Probes, one factor after the other: the network and schedule of the official calls in stock PyTorch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

HIDDEN, LAYERS, EPOCHS, BATCH, PATIENCE, LEARNING_RATE = 128, 6, 100, 128, 7, 1e-3


def accuracies(
    codes: Tensor, factors: Mapping[str, Tensor], scored: Tensor, actual: Mapping[str, Tensor]
) -> dict[str, float]:
    """Train a probe for each factor on ``codes`` and return its accuracy on ``scored``.

    Args:
        codes: ``(n, d)``.
        factors: For each factor ``(n,)`` class ids.
        scored: ``(m, d)``.
        actual: For each factor ``(m,)`` class ids.
    """
    found = {}
    for name, target in factors.items():
        network = probe(codes, target, int(target.max()) + 1)
        with torch.no_grad():
            found[name] = (network(scored).argmax(1) == actual[name]).float().mean().item()
    return found


def probe(codes: Tensor, target: Tensor, n_classes: int) -> nn.Module:
    """Train a network on nine tenths of the codes; return its best epoch's state on the other tenth."""
    widths = [codes.shape[1]] + [HIDDEN] * (LAYERS - 1)
    layers: list[nn.Module] = []
    for n_in in widths[:-1]:
        layers += [nn.Linear(n_in, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.LeakyReLU()]
    network = nn.Sequential(*layers, nn.Linear(HIDDEN, n_classes))
    held_out, fitted = torch.randperm(len(codes)).tensor_split([len(codes) // 10])
    loader = DataLoader(TensorDataset(codes[fitted], target[fitted]), BATCH, shuffle=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best, best_epoch, state = -1.0, 0, network.state_dict()
    for epoch in range(EPOCHS):
        network.train()
        for batch, labels in loader:
            optimiser.zero_grad()
            F.cross_entropy(network(batch), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        network.eval()
        with torch.no_grad():
            accuracy = (network(codes[held_out]).argmax(1) == target[held_out]).float().mean().item()
        if accuracy > best:
            best, best_epoch = accuracy, epoch
            state = {name: values.clone() for name, values in network.state_dict().items()}
        elif epoch - best_epoch > PATIENCE:
            break
    network.load_state_dict(state)
    return network
