"""Bayesian linear regression for few rows: effects in groups, each group shrunk as much as the data ask for.

The model is ``y = mean + X c + noise`` with ``noise ~ N(0, s^2)``. An effect ``c_k`` of group g has a Student
prior of scale ``s t_g`` with ``v_g`` degrees of freedom: many alike effects give a large ``v_g``, a few among
many that are nothing a small one, so that these are not shrunk away with the rest. Mean and ``log s`` have
flat priors, ``t_g`` a half-Cauchy one (Polson & Scott, "On the half-Cauchy prior for a global scale
parameter", Bayesian Analysis 7(4), 2012), ``v_g`` an even one over a grid. What the data say nothing about
keeps the width of its prior.

Draws are Gibbs samples; the half-Cauchy is a mixture of inverse gammas (Makalic & Schmidt, "A Simple Sampler
for the Horseshoe Estimator", IEEE Signal Processing Letters 23(1), 2016), the Student one of normals.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.special import gammaln

FloatArray = npt.NDArray[np.float64]

FREEDOM = np.array([0.5, 1, 2, 4, 8, 16, 32, 64])
"""The grid of degrees of freedom: from most effects nothing, a few large, to all effects of one size."""

WARM_UP = 500
"""First samples, which are thrown away."""

BOUND = 1e12
"""Squared scales stay between this and its inverse, where they mean 0 or no shrinkage: no overflow."""


def draw(
    columns: FloatArray, groups: Sequence[int], y: FloatArray, n: int, rng: np.random.Generator
) -> FloatArray:
    """Draw from the posterior of the effects.

    Args:
        columns: ``(rows, p)``; their means do not matter.
        groups: For every column its group, from 0 on; columns of a group share scale and degrees of freedom.
        y: ``(rows,)``, not constant.
        n: How many draws.
        rng: Source of randomness.

    Returns:
        ``(n, p)``, successive ones slightly dependent.

    Raises:
        ValueError: If ``y`` is constant: there is nothing to tell apart.
    """
    if np.ptp(y) == 0:
        raise ValueError("y is the same in every row")
    unit_of_y = y.std()
    x, y = columns - columns.mean(axis=0), (y - y.mean()) / unit_of_y
    gram, moment = x.T @ x, x.T @ y
    group = np.asarray(groups)
    sizes = np.bincount(group)
    local, shared, mixing = np.ones(len(group)), np.ones(len(sizes)), np.ones(len(sizes))
    freedom, noise = np.full(len(sizes), 4.0), np.ones(1)
    drawn = np.empty((n, len(group)))
    for i in range(-WARM_UP, n):
        scale = np.sqrt(local * shared[group])
        root = cholesky(np.eye(len(group)) + scale[:, np.newaxis] * gram * scale, check_finite=False)
        whitened = solve_triangular(root, scale * moment, trans="T", check_finite=False)
        whitened += np.sqrt(noise) * rng.standard_normal(len(group))
        unit = solve_triangular(root, whitened, check_finite=False)
        effect = scale * unit
        misfit = y @ y - 2 * effect @ moment + effect @ gram @ effect + unit @ unit
        noise = _inverse_gamma((len(y) - 1 + len(group)) / 2, misfit / 2, rng)
        square = effect**2 / (2 * noise)
        half = freedom[group] / 2
        local = _inverse_gamma(half + 0.5, half + square / shared[group], rng)
        freedom = _draw_freedom(local, group, sizes, rng)
        total = np.bincount(group, square / local, len(sizes))
        shared = _inverse_gamma((sizes + 1) / 2, 1 / mixing + total, rng)
        mixing = _inverse_gamma(np.ones(len(sizes)), 1 + 1 / shared, rng)
        if i >= 0:
            drawn[i] = effect * unit_of_y
    return drawn


def explained(
    columns: FloatArray, groups: Sequence[int], y: FloatArray, rng: np.random.Generator, folds: int = 5
) -> float:
    """Share of the variance that the model predicts in rows it was not fitted to, by cross-validation.

    Returns:
        At most 1; 0 or less if it predicts no better than the mean of the other rows.
    """
    errors = baseline = 0.0
    for held_out in np.array_split(rng.permutation(len(y)), folds):
        kept = np.setdiff1d(np.arange(len(y)), held_out)
        center = y[kept].mean()
        prediction = np.full(len(held_out), center)
        if np.ptp(y[kept]) > 0:
            effect = draw(columns[kept], groups, y[kept], WARM_UP, rng).mean(axis=0)
            prediction += (columns[held_out] - columns[kept].mean(axis=0)) @ effect
        errors += float(((y[held_out] - prediction) ** 2).sum())
        baseline += float(((y[held_out] - center) ** 2).sum())
    return 1 - errors / baseline


def _draw_freedom(
    local: FloatArray, group: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rng: np.random.Generator
) -> FloatArray:
    """Degrees of freedom of every group, given the squared scales of its effects."""
    half = FREEDOM / 2
    logs = np.bincount(group, np.log(local), len(sizes))[:, np.newaxis]
    inverses = np.bincount(group, 1 / local, len(sizes))[:, np.newaxis]
    likelihood = sizes[:, np.newaxis] * (half * np.log(half) - gammaln(half)) - half * (logs + inverses)
    return np.asarray(FREEDOM[(likelihood + rng.gumbel(size=likelihood.shape)).argmax(axis=1)])


def _inverse_gamma(
    shape: FloatArray | float, scale: FloatArray | float, rng: np.random.Generator
) -> FloatArray:
    return np.clip(scale / rng.gamma(shape), 1 / BOUND, BOUND)
