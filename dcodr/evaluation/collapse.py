"""Collapse: codes that are constant, lie along one line or are not numbers.

Such codes are perfectly invariant and useless, so collapse is checked before invariance is read.
"""

import math

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-4
"""Codes with less total variance count as constant.

L2-normalised codes spread over the sphere have a total variance near 1. This bound corresponds to an angle of
about half a degree between a code and the mean code. It is a hundred times the variance that rounding to
bfloat16 alone can cause.
"""

SMALLEST_RANK = 1.5
"""Codes with a lower effective rank count as a line, whose rank is 1.

A single cyclic factor laid out as a circle, or three classes at the corners of a triangle, have rank 2.
"""


def code_variance(codes: Tensor) -> float:
    """Return the sum of the variances of all dimensions of codes ``(n, d)``; NaN if a code is not finite."""
    return codes.double().var(dim=0, correction=0).sum().item()


def effective_rank(codes: Tensor) -> float:
    """Return the number of dimensions that codes fill, weighted by the evenness of the filling.

    It is the exponential of the entropy of the normalised singular values of the centred codes (Roy &
    Vetterli, *The effective rank: a measure of effective dimensionality*, EUSIPCO 2007).

    Args:
        codes: ``(n, d)`` codes.

    Returns:
        A number from 1 to ``d``; 0 if the codes are constant, NaN if a code is not finite.
    """
    if not codes.isfinite().all():
        return math.nan
    centred = codes.double() - codes.double().mean(dim=0)
    # Rounding can make a zero eigenvalue slightly negative.
    singular_values = torch.linalg.eigvalsh(centred.T @ centred).clamp_min(0).sqrt()
    total = singular_values.sum()
    return torch.special.entr(singular_values / total).sum().exp().item() if total > 0 else 0.0


def collapse_reason(variance: float, rank: float) -> str | None:
    """Return the reason why codes of this variance and effective rank are useless, or ``None``."""
    if not (math.isfinite(variance) and math.isfinite(rank)):
        return "the codes contain NaN or infinite values"
    if variance < SMALLEST_VARIANCE:
        return f"the codes are constant: their variance is {variance:.2g}, below {SMALLEST_VARIANCE:g}"
    if rank < SMALLEST_RANK:
        return f"the codes lie along one line: their effective rank is {rank:.2f}, below {SMALLEST_RANK:g}"
    return None
