"""Effective rank and variance against closed forms, and which codes have collapsed."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dcodr.evaluation.collapse import code_variance, collapse_reason, effective_rank


def cross_polytope(rank: int, dim: int) -> Tensor:
    """Plus and minus each of the first axes: codes that fill ``rank`` dimensions evenly."""
    axes = torch.eye(dim)[:rank]
    return torch.cat([axes, -axes])


def reason(codes: Tensor) -> str | None:
    return collapse_reason(code_variance(codes), effective_rank(codes))


@pytest.mark.parametrize("rank", [1, 2, 5, 16])
def test_effective_rank_of_evenly_filled_dimensions_is_their_number(rank: int) -> None:
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(0))).Q
    codes = cross_polytope(rank, 16) @ rotation
    assert effective_rank(codes) == pytest.approx(rank, rel=1e-5)
    assert effective_rank(codes * 7 + 3) == pytest.approx(rank, rel=1e-5)


def test_effective_rank_equals_its_definition_by_singular_values() -> None:
    codes = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7)
    singular_values = torch.linalg.svdvals((codes - codes.mean(dim=0)).double())
    shares = singular_values / singular_values.sum()
    expected = math.exp(-sum(p * math.log(p) for p in shares.tolist()))
    assert effective_rank(codes) == pytest.approx(expected, rel=1e-6)


def test_variance_of_unit_codes_is_one_minus_the_squared_length_of_their_mean() -> None:
    codes = F.normalize(torch.randn(100, 8, generator=torch.Generator().manual_seed(0)) + 0.5, dim=1)
    assert code_variance(codes) == pytest.approx(1 - codes.mean(dim=0).square().sum().item(), rel=1e-5)


def test_codes_that_vary_within_rounding_are_constant() -> None:
    code = F.normalize(torch.randn(1, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    noise = 1 + torch.randn(200, 64, generator=torch.Generator().manual_seed(1)) * 1e-7
    bfloat16 = F.normalize((code * (1 + noise * 1e-3)).bfloat16().float(), dim=1)
    for codes in (code.expand(200, -1), code * noise, bfloat16):
        assert "constant" in (reason(codes) or "")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_codes_that_are_not_finite_are_found(value: float) -> None:
    codes = cross_polytope(4, 8)
    codes[2, 3] = value
    assert "NaN" in (reason(codes) or "")


def test_codes_along_a_line_have_collapsed_and_codes_on_a_circle_have_not() -> None:
    angle = torch.linspace(0, 2 * math.pi, 50)[:-1]
    circle = F.pad(torch.stack([angle.cos(), angle.sin()], dim=1), (0, 6))
    two_points = F.normalize(torch.tensor([[1.0, 0.2], [1.0, -0.2]]).repeat(20, 4), dim=1)
    assert reason(circle) is None
    assert "line" in (reason(two_points) or "")


def test_codes_spread_over_the_sphere_are_healthy() -> None:
    codes = F.normalize(torch.randn(500, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    assert reason(codes) is None
