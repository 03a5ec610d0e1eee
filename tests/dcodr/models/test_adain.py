"""AdaIN against PyTorch's instance normalisation, finite differences and what it promises."""

import pytest
import torch

from benchmarks.reference.generator import AdaptiveInstanceNorm as PlainAdaIN
from dcodr.models.adain import AdaptiveInstanceNorm


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def norms() -> tuple[AdaptiveInstanceNorm, PlainAdaIN]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        norm, plain = AdaptiveInstanceNorm(4, 6), PlainAdaIN(4, 6)
    plain.load_state_dict(norm.state_dict())
    return norm, plain


def test_sets_mean_and_deviation_of_each_channel() -> None:
    norm, _ = norms()
    embedding = random(3, 6)
    output = norm(10 * random(3, 4, 16, 16, seed=1) + 7, embedding)
    torch.testing.assert_close(output.mean(dim=(2, 3)), norm.shift(embedding), rtol=1e-5, atol=1e-5)
    deviation = output.std(dim=(2, 3), correction=0)
    torch.testing.assert_close(deviation, norm.scale(embedding).abs(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(("size", "offset"), [((5, 3), 0.0), ((16, 16), 3.0)])
def test_equals_separate_operations_in_double_precision(
    memory_format: torch.memory_format, size: tuple[int, int], offset: float
) -> None:
    norm, plain = norms()
    x = (random(3, 4, *size, seed=1) + offset).contiguous(memory_format=memory_format)
    embedding, upstream = random(3, 6), random(3, 4, *size, seed=2)
    inputs = [x.requires_grad_(), embedding.requires_grad_()]
    exact = [values.detach().double().requires_grad_() for values in inputs]
    output, expected = norm(*inputs), plain.double()(*exact)
    torch.testing.assert_close(output.double(), expected, rtol=0, atol=1e-5)
    ours = torch.autograd.grad(output, (*inputs, *norm.parameters()), upstream)
    theirs = torch.autograd.grad(expected, (*exact, *plain.parameters()), upstream.double())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)


def test_gradients_equal_finite_differences() -> None:
    norm = norms()[0].double()
    x, embedding = random(2, 4, 3, 2).double().requires_grad_(), random(2, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(norm, (x, embedding))


def test_bfloat16_stays_within_its_rounding() -> None:
    norm, plain = norms()
    x, embedding = random(3, 4, 16, 16, seed=1), random(3, 6)
    with torch.autocast("cpu", torch.bfloat16):
        output = norm(x.bfloat16(), embedding)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), plain(x, embedding), rtol=0.02, atol=0.02)
