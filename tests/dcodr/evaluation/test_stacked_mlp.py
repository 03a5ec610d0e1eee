"""The stacked networks against one naive network a factor."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcodr.evaluation.stacked_mlp import StackedMLP

N_OUTPUTS = [7, 2, 5]


def naive_network(stack: StackedMLP, factor: int, n_inputs: int, layers: int, hidden: int) -> nn.Sequential:
    """Return one factor's network built of stock modules, with the stack's weights."""
    modules: list[nn.Module] = []
    for n_in in [n_inputs] + [hidden] * (layers - 2):
        modules += [nn.Linear(n_in, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU()]
    network = nn.Sequential(*modules, nn.Linear(hidden, N_OUTPUTS[factor]))
    with torch.no_grad():
        for i in range(layers - 1):
            weight = network.get_submodule(str(3 * i)).get_parameter("weight")
            weight.copy_(stack.weights[i][factor])
        network.get_submodule(str(3 * (layers - 1))).get_parameter("weight").copy_(stack.heads[factor])
        network.get_submodule(str(3 * (layers - 1))).get_parameter("bias").copy_(stack.biases[factor])
    return network


def batches(n_inputs: int) -> list[tuple[Tensor, list[Tensor]]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(size, n_inputs, generator=generator),
            [torch.randint(n, (size,), generator=generator) for n in N_OUTPUTS],
        )
        for size in (16, 16, 9)
    ]


@pytest.mark.parametrize("layers", [2, 3, 6])
def test_training_equals_that_of_one_naive_network_a_factor(layers: int) -> None:
    n_inputs, hidden = 6, 8
    stack = StackedMLP(n_inputs, N_OUTPUTS, layers, hidden, seeds=[0] * 3)
    naive = [naive_network(stack, factor, n_inputs, layers, hidden) for factor in range(len(N_OUTPUTS))]
    optimisers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in [stack, *naive]]
    for inputs, targets in batches(n_inputs):
        outputs = stack(inputs)
        expected = [network(inputs) for network in naive]
        for optimiser in optimisers:
            optimiser.zero_grad()
        for networks_outputs in (outputs, expected):
            torch.autograd.backward(
                [F.cross_entropy(o, t) for o, t in zip(networks_outputs, targets, strict=True)]
            )
        for factor, network in enumerate(naive):
            torch.testing.assert_close(outputs[factor], expected[factor], atol=1e-5, rtol=1e-5)
            gradient = network.get_submodule("0").get_parameter("weight").grad
            assert stack.weights[0].grad is not None
            torch.testing.assert_close(stack.weights[0].grad[factor], gradient, atol=1e-5, rtol=1e-5)
        for optimiser in optimisers:
            optimiser.step()
    held_out = batches(n_inputs)[0][0]
    for factor, network in enumerate(naive):
        torch.testing.assert_close(
            stack.eval()(held_out)[factor], network.eval()(held_out), atol=1e-5, rtol=1e-4
        )


def test_initial_weights_are_those_of_linear_layers_and_do_not_depend_on_other_factors() -> None:
    stack = StackedMLP(50, N_OUTPUTS, layers=3, hidden=40, seeds=[3] * 3)
    alone = StackedMLP(50, N_OUTPUTS[1:2], layers=3, hidden=40, seeds=[3])
    for values, expected in zip(stack.state_of(1), alone.state_of(0), strict=True):
        assert torch.equal(values, expected)
    for weight, fan_in in zip(stack.weights, (50, 40), strict=True):
        assert weight.abs().max().item() <= 1 / math.sqrt(fan_in)
        assert weight.std().item() == pytest.approx(1 / math.sqrt(3 * fan_in), rel=0.05)


def test_state_of_a_factor_is_all_that_its_outputs_depend_on() -> None:
    source, target = (StackedMLP(6, N_OUTPUTS, layers=3, hidden=8, seeds=[seed] * 3) for seed in (0, 1))
    inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
    source(inputs)
    before = target.eval()(inputs)
    for values, other in zip(target.state_of(1), source.state_of(1), strict=True):
        values.copy_(other)
    after = target(inputs)
    torch.testing.assert_close(after[1], source.eval()(inputs)[1])
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[2], before[2])


def test_building_a_stack_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    StackedMLP(6, N_OUTPUTS, layers=3, hidden=8, seeds=[0] * 3)
    assert torch.equal(torch.get_rng_state(), before)
