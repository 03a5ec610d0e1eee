"""Time and strength of the probes, stacked and naive.

Run ``python -m benchmarks.probes --threads 1``. The codes are random nonlinear mixtures of the attributes
plus noise. The domain only scales the mixture's hidden units, so that no linear probe reads it: a probe that
is too weak would flatter the invariance. A time is the shortest of some repeats (``PAPER``: of one).
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcodr.evaluation.probes import FAST, HELD_OUT_FRACTION, PAPER, ProbeBudget, Scale, fit_probes

SIZES = {
    "search": (5_000, {"domain": 4, "floor": 10, "wall": 10, "object": 10, "scale": 8, "orientation": 15}),
    "cars3d": (14_000, {"domain": 183, "azimuth": 24, "elevation": 4, "pose": 96}),
}
N_SCORED = 3_000
CODE_DIM = 128
Labels = dict[str, Tensor]


def mixed_codes(n: int, n_classes: dict[str, int], seed: int) -> tuple[Tensor, Labels]:
    """Codes ``(n, CODE_DIM)``, the same mixture for every seed, and the factors that are mixed in them."""
    generator, mixture = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(0)
    factors = {name: torch.randint(k, (n,), generator=generator) for name, k in n_classes.items()}
    parts = {name: torch.randn(k, 16, generator=mixture)[factors[name]] for name, k in n_classes.items()}
    scale = torch.tanh(parts.pop("domain") @ torch.randn(16, 64, generator=mixture) / 4)
    attributes = torch.cat(list(parts.values()), dim=1)
    hidden = torch.tanh(attributes @ torch.randn(attributes.shape[1], 64, generator=mixture) / 8)
    codes = (hidden * (1 + scale)) @ torch.randn(64, CODE_DIM, generator=mixture)
    noise = torch.randn(n, CODE_DIM, generator=generator) * 0.6 * codes.std()
    return F.normalize(codes + noise, dim=1), factors


def naive_predictions(codes: Tensor, factors: Labels, n_classes: dict[str, int], scored: Tensor) -> Labels:
    """One stock network a factor, trained one after the other with the fast budget."""
    scale = Scale.of(codes)
    codes, scored = scale.standardise(codes), scale.standardise(scored)
    return {
        name: naive_probe(codes, factors[name], n_classes[name], FAST)(scored).argmax(1) for name in factors
    }


def naive_probe(codes: Tensor, target: Tensor, n_classes: int, budget: ProbeBudget) -> nn.Module:
    """Train a stock network as ``fit_probes`` does and return it in the state of its best epoch."""
    widths = [CODE_DIM] + [budget.hidden] * (budget.layers - 1)
    layers: list[nn.Module] = []
    for n_in in widths[:-1]:
        layers += [nn.Linear(n_in, budget.hidden, bias=False), nn.BatchNorm1d(budget.hidden), nn.LeakyReLU()]
    network = nn.Sequential(*layers, nn.Linear(budget.hidden, n_classes))
    held_out, fitted = torch.randperm(len(codes)).tensor_split([round(HELD_OUT_FRACTION * len(codes))])
    n_batches = -(-len(fitted) // budget.batch_size)
    optimiser = torch.optim.Adam(network.parameters(), lr=budget.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, budget.learning_rate, total_steps=budget.epochs * n_batches, cycle_momentum=False
    )
    best, state = -1.0, network.state_dict()
    for _ in range(budget.epochs):
        network.train()
        for batch in fitted[torch.randperm(len(fitted))].tensor_split(n_batches):
            optimiser.zero_grad()
            torch.autograd.backward(F.cross_entropy(network(codes[batch]), target[batch]))
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            accuracy = (network(codes[held_out]).argmax(1) == target[held_out]).float().mean().item()
        if accuracy > best:
            best, state = accuracy, {name: values.clone() for name, values in network.state_dict().items()}
    network.load_state_dict(state)
    return network


def measure(name: str, predict: Callable[[], Labels], actual: Labels, repeats: int) -> float:
    """Print the shortest time of some repeats, in seconds, and the accuracies; return the time."""
    seconds, predicted = [], {}
    for _ in range(repeats):
        start = time.perf_counter()
        predicted = predict()
        seconds.append(time.perf_counter() - start)
    accuracies = {k: (predicted[k] == labels).float().mean().item() for k, labels in actual.items()}
    print(f"  {name:16}{min(seconds):7.2f} s  ", *(f"{k} {value:.3f}" for k, value in accuracies.items()))
    return min(seconds)


def benchmark(size: str, repeats: int) -> None:
    """Measure both budgets and the naive reference on one size."""
    n, n_classes = SIZES[size]
    codes, factors = mixed_codes(n, n_classes, seed=1)
    scored, actual = mixed_codes(N_SCORED, n_classes, seed=2)

    def stacked(budget: ProbeBudget) -> Labels:
        return fit_probes(codes, factors, n_classes, budget, seed=0).predict(scored)

    print(f"{size}: {n} codes x {CODE_DIM} dimensions, {len(factors)} factors")
    fast = measure("FAST", lambda: stacked(FAST), actual, repeats)
    naive = measure(
        "FAST, naive", lambda: naive_predictions(codes, factors, n_classes, scored), actual, repeats
    )
    paper = measure("PAPER", lambda: stacked(PAPER), actual, 1)
    print(f"  FAST takes 1/{paper / fast:.1f} of PAPER's time, 1/{naive / fast:.1f} of the naive one's")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", choices=SIZES, nargs="+", default=list(SIZES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for size in arguments.sizes:
        benchmark(size, arguments.repeats)


if __name__ == "__main__":
    main()
