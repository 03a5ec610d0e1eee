"""Bayesian linear regression for few rows: effects in groups, each group shrunk as much as the data ask.

The model is ``y = mean + X c + noise`` with ``noise ~ N(0, s^2)``. An effect ``c_k`` of group g has a Student
prior of scale ``s t_g`` with ``v_g`` degrees of freedom. Many effects of one size give a large ``v_g``. A few
large effects among many near 0 give a small ``v_g``, so that the large ones are not shrunk with the rest.
Mean and ``log s`` have flat priors, ``t_g`` a half-Cauchy one (Polson & Scott, "On the half-Cauchy prior for
a global scale parameter", Bayesian Analysis 7(4), 2012), ``v_g`` a uniform one over a grid. An effect without
data keeps the width of its prior.

Draws are Gibbs samples; the half-Cauchy is a mixture of inverse gammas (Makalic & Schmidt, "A Simple Sampler
for the Horseshoe Estimator", IEEE Signal Processing Letters 23(1), 2016), the Student one of normals.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.special import gammaln

from tuning.pareto import FloatArray

FREEDOM = np.array([0.5, 1, 2, 4, 8, 16, 32, 64])
"""The grid of degrees of freedom: from a few large effects among many near 0 to all effects of one size."""

WARM_UP = 500
"""Number of first samples, which are discarded."""

BOUND = 1e12
"""Squared scales are clipped to this and its inverse, where they mean no shrinkage or 0, against overflow."""


def draw(
    columns: FloatArray, groups: Sequence[int], y: FloatArray, n: int, rng: np.random.Generator
) -> FloatArray:
    """Draw from the posterior of the effects.

    Args:
        columns: ``(rows, p)``; their means do not matter.
        groups: Group of every column, from 0 on; columns of a group share scale and degrees of freedom.
        y: ``(rows,)``, not constant.
        n: Number of draws.
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
        # 1. Effects given the scales, in units of their scale: the precision is then the identity plus a
        #    positive matrix, so the factorisation cannot fail.
        scale = np.sqrt(local * shared[group])
        root = cholesky(np.eye(len(group)) + scale[:, np.newaxis] * gram * scale, check_finite=False)
        whitened = solve_triangular(root, scale * moment, trans="T", check_finite=False)
        whitened += np.sqrt(noise) * rng.standard_normal(len(group))
        unit = solve_triangular(root, whitened, check_finite=False)
        effect = scale * unit
        # 2. Noise given effects and scales.
        misfit = y @ y - 2 * effect @ moment + effect @ gram @ effect + unit @ unit
        noise = _inverse_gamma((len(y) - 1 + len(group)) / 2, misfit / 2, rng)
        # 3. Scale of each effect, then of each group, both as mixtures of inverse gammas.
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
    """Return the share of variance that the model predicts in rows it was not fitted to (cross-validation).

    Returns:
        At most 1; 0 or less if it predicts no better than the mean of the other rows.
    """
    errors = baseline = 0.0
    # Every row is predicted once, from the rows of the other folds.
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
    """Draw the degrees of freedom of every group, given the squared scales of its effects."""
    half = FREEDOM / 2
    logs = np.bincount(group, np.log(local), len(sizes))[:, np.newaxis]
    inverses = np.bincount(group, 1 / local, len(sizes))[:, np.newaxis]
    likelihood = sizes[:, np.newaxis] * (half * np.log(half) - gammaln(half)) - half * (logs + inverses)
    # The largest of log-likelihood plus Gumbel noise is a draw from the grid in proportion to likelihood.
    return np.asarray(FREEDOM[(likelihood + rng.gumbel(size=likelihood.shape)).argmax(axis=1)])


def _inverse_gamma(
    shape: FloatArray | float, scale: FloatArray | float, rng: np.random.Generator
) -> FloatArray:
    return np.clip(scale / rng.gamma(shape), 1 / BOUND, BOUND)
