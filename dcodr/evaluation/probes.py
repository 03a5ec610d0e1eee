"""Probes: small networks trained on frozen codes to measure the information in them, factor by factor.

All probes are trained in one vectorised pass, but independently: each has its own weights, BatchNorm
statistics and best epoch. Its initial weights and its batches are the same as if it were trained alone.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from dcodr.evaluation.stacked_mlp import StackedMLP

HELD_OUT_FRACTION = 0.1
_SMALLEST_STD = 1e-6
_PREDICTION_BATCH = 4096
_SEED_STRIDE = 1_000_003
"""Distance between the seeds of repeated probes, beyond the small seeds that trainings have.

PyTorch's generator uses the lower 32 bits of a seed only, so a power of two would not do.
"""


@dataclass(frozen=True)
class ProbeBudget:
    """Size and training length of the probes.

    Attributes:
        layers: Number of linear layers, the last one included.
        hidden: Width of the hidden layers; a single layer has none.
        epochs: Largest number of passes over the training codes.
        batch_size: Largest number of codes per step.
        learning_rate: Adam's learning rate; its peak if ``one_cycle`` is set.
        one_cycle: True if the learning rate rises and falls once over all epochs (Smith & Topin, 2017, arXiv
            1708.07120), false if it is constant.
        patience: A tenth of the codes is held out to judge the epochs. A probe keeps its best epoch and stops
            when more than this many epochs have passed since then. ``None`` trains on all codes for all
            epochs and keeps the last one, which suits a learning rate that ends at zero.
        probes: Fewest probes behind each of invariance and informativeness, whose metrics are averaged. They
            differ in their initial weights. See ``repeats``.
    """

    layers: int
    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    one_cycle: bool
    patience: int | None
    probes: int = 1

    def repeats(self, attributes: Collection[str], derived: Collection[str]) -> dict[str, int]:
        """Return the number of probes of the domain and of each attribute.

        Invariance rests on the domain alone, while informativeness is a mean over the attributes that are not
        derived, so these need fewer probes for the same noise.
        """
        counted = [name for name in attributes if name not in derived]
        each = math.ceil(self.probes / max(1, len(counted)))
        return {"domain": self.probes, **dict.fromkeys(attributes, 1), **dict.fromkeys(counted, each)}


PAPER = ProbeBudget(
    layers=6, hidden=128, epochs=100, batch_size=128, learning_rate=1e-3, one_cycle=False, patience=7
)
"""Budget for final metrics: the network and schedule of the official evaluation, as its code calls them.

No call uses the 64 hidden units and 200 epochs that are the defaults of its functions.
"""

FAST = ProbeBudget(
    layers=3,
    hidden=128,
    epochs=12,
    batch_size=256,
    learning_rate=1e-2,
    one_cycle=True,
    patience=None,
    probes=3,
)
"""Budget inside a search: about as strong as ``PAPER`` in a fraction of its time, and with less noise.

``benchmarks/probes.py`` measures both, ``benchmarks/noise.py`` the noise. Of the 183 cars of Cars3D it finds
less (docs/benchmarks.md), which is one reason why final metrics are those of ``PAPER``.
"""

WIDE = replace(FAST, layers=4, hidden=256, probes=1)
"""Budget of a stronger judge: of the 183 cars of Cars3D it finds more than ``PAPER`` (docs/gain.md)."""

LINEAR = ProbeBudget(
    layers=1, hidden=0, epochs=30, batch_size=512, learning_rate=0.2, one_cycle=True, patience=None
)
"""Budget of linear probes, as accurate as a logistic regression that is solved exactly."""


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation ``(d,)`` of each dimension of some training values."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "Scale":
        """Measure values ``(n, d)``; a constant dimension gets a small deviation instead of none."""
        return cls(values.mean(dim=0), values.std(dim=0, correction=0).clamp_min(_SMALLEST_STD))

    def standardise(self, values: Tensor) -> Tensor:
        """Express values ``(n, d)`` in standard deviations from the mean."""
        return (values - self.mean) / self.std

    def restore(self, values: Tensor) -> Tensor:
        """Invert ``standardise``."""
        return values * self.std + self.mean


@dataclass(frozen=True)
class Probes:
    """Fitted probes, as ``fit_probes`` returns them.

    Attributes:
        network: One network per probe.
        names: For each network the factor that it predicts.
        code_scale: Scale of the training codes.
        value_scales: For each factor the scale of a continuous factor's training values; ``None`` for a
            categorical factor.
    """

    network: StackedMLP
    names: Sequence[str]
    code_scale: Scale
    value_scales: Mapping[str, Scale | None]

    @torch.no_grad()
    def predict(self, codes: Tensor) -> dict[str, Tensor]:
        """Predict the factors from codes.

        Args:
            codes: ``(n, d)`` codes.

        Returns:
            For each factor the answers of its ``P`` probes: class ids ``(P, n)``, or values ``(P, n, K)`` if
            it is continuous.
        """
        batches = codes.tensor_split(math.ceil(len(codes) / _PREDICTION_BATCH))
        results = [self.network(self.code_scale.standardise(batch)) for batch in batches]
        answers: dict[str, list[Tensor]] = {name: [] for name in self.value_scales}
        for name, parts in zip(self.names, zip(*results, strict=True), strict=True):
            scale, output = self.value_scales[name], torch.cat(parts)
            answers[name].append(output.argmax(dim=1) if scale is None else scale.restore(output))
        return {name: torch.stack(each) for name, each in answers.items()}


def fit_probes(
    codes: Tensor,
    factors: Mapping[str, Tensor],
    n_classes: Mapping[str, int | None],
    budget: ProbeBudget,
    seed: int,
    repeats: Mapping[str, int] = {},
) -> Probes:
    """Train the probes of every factor on frozen codes.

    The score of an epoch, if codes are held out, is the accuracy, or the negative mean absolute error if the
    factor is continuous. The loss is cross-entropy for categorical factors, and the mean absolute error of
    standardised values for continuous factors.

    Args:
        codes: ``(n, d)`` finite codes, at least 3, none of which is scored later.
        factors: For each factor ``(n,)`` int64 class ids, or ``(n, K)`` float32 values if continuous.
        n_classes: For each factor its number of classes; ``None`` if it is continuous.
        budget: Size, number and training length of the probes.
        seed: Seed of the held-out codes, the batches and each probe's initial weights.
        repeats: Number of probes of each factor, if not 1; see ``ProbeBudget.repeats``.

    Returns:
        The probes, on the device of ``codes``.
    """
    # Codes are standardised first, which makes the probes stricter judges.
    code_scale = Scale.of(codes)
    value_scales = {name: None if n_classes[name] else Scale.of(values) for name, values in factors.items()}
    targets = {
        name: factors[name] if scale is None else scale.standardise(factors[name])
        for name, scale in value_scales.items()
    }
    names, seeds = [], []
    for name in factors:
        numbers = range(repeats.get(name, 1))
        names += [name for _ in numbers]
        seeds += [seed + _SEED_STRIDE * number for number in numbers]
    n_outputs = [n_classes[name] or factors[name].shape[1] for name in names]
    network = StackedMLP(codes.shape[1], n_outputs, budget.layers, budget.hidden, seeds).to(codes.device)
    generator = torch.Generator().manual_seed(seed)
    _train(network, code_scale.standardise(codes), [targets[name] for name in names], budget, generator)
    return Probes(network.eval(), names, code_scale, value_scales)


class _Best(NamedTuple):
    """The best epoch of one network so far."""

    score: float
    epoch: int
    state: list[Tensor]


def _train(
    network: StackedMLP,
    codes: Tensor,
    targets: Sequence[Tensor],
    budget: ProbeBudget,
    generator: torch.Generator,
) -> None:
    """Train all networks together; with a patience, leave each in the state of its best epoch."""
    # Orders are drawn on the CPU, so that they are the same on every device.
    order = torch.randperm(len(codes), generator=generator).to(codes.device)
    n_held_out = 0 if budget.patience is None else max(1, round(HELD_OUT_FRACTION * len(codes)))
    held_out, fitted = order.tensor_split([n_held_out])
    n_batches = math.ceil(len(fitted) / budget.batch_size)
    optimiser = torch.optim.Adam(network.parameters(), lr=budget.learning_rate, fused=True)
    schedule = _schedule(optimiser, budget, n_steps=budget.epochs * n_batches)
    best = [_Best(-math.inf, 0, network.state_of(i)) for i in range(len(targets))]
    running = set(range(len(targets)))
    for epoch in range(budget.epochs):
        shuffled = fitted[torch.randperm(len(fitted), generator=generator).to(codes.device)]
        _train_epoch(network, codes, targets, shuffled.tensor_split(n_batches), optimiser, schedule)
        if budget.patience is None:
            continue
        with torch.no_grad():
            outputs = network.eval()(codes[held_out])
        # A stopped probe continues to train with the others, but its best state is already saved.
        for i in running.copy():
            reached = score(outputs[i], targets[i][held_out])
            if reached > best[i].score:
                best[i] = _Best(reached, epoch, [values.clone() for values in network.state_of(i)])
            elif epoch - best[i].epoch > budget.patience:
                running.remove(i)
        if not running:
            break
    if budget.patience is None:
        return
    # `state_of` returns views of the stacked weights, so this restores each network in place.
    for i, (_, _, state) in enumerate(best):
        for current, kept in zip(network.state_of(i), state, strict=True):
            current.copy_(kept)


def _train_epoch(
    network: StackedMLP,
    codes: Tensor,
    targets: Sequence[Tensor],
    batches: Sequence[Tensor],
    optimiser: torch.optim.Optimizer,
    schedule: LRScheduler,
) -> None:
    network.train()
    for batch in batches:
        outputs = network(codes[batch])
        # The losses share no weights: a joint backward pass gives each network its own gradient.
        losses = [_loss(output, target[batch]) for output, target in zip(outputs, targets, strict=True)]
        optimiser.zero_grad()
        torch.autograd.backward(losses)
        optimiser.step()
        schedule.step()


def _loss(output: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(output, target) if target.is_floating_point() else F.cross_entropy(output, target)


def score(output: Tensor, target: Tensor) -> float:
    """Score the answers of a probe on held-out codes; higher is better.

    Args:
        output: ``(n, n_outputs)`` outputs of the probe's network.
        target: ``(n,)`` int64 class ids, or ``(n, K)`` float32 standardised values if continuous.

    Returns:
        The accuracy, or the negative mean absolute error if the factor is continuous.
    """
    if target.is_floating_point():
        return -F.l1_loss(output, target).item()
    return (output.argmax(dim=1) == target).float().mean().item()


def _schedule(optimiser: torch.optim.Optimizer, budget: ProbeBudget, n_steps: int) -> LRScheduler:
    if budget.one_cycle:
        return OneCycleLR(optimiser, budget.learning_rate, total_steps=n_steps, cycle_momentum=False)
    return ConstantLR(optimiser, factor=1.0)
