"""A Gaussian process over evaluations of trials after different amounts of training."""

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

FloatArray = npt.NDArray[np.float64]

JITTER = 1e-6
"""Added to variances so that a matrix of them can be factorised."""


class GaussianProcess:
    """Regression of a metric on features and on the share of the training that was done.

    The metric is standardised; a constant metric is predicted to stay constant. The covariance of two
    evaluations, with features ``x`` and training ``t``, is ``v exp(-|(x - x') / l|^2 / 2) exp(-r |t - t'|) +
    d t t'``: a function with a length scale for each feature, which changes with training, and a drift that
    all trials share. The noise of a training's seed is independent. All parameters are the most probable ones
    a posteriori. Priors are normal on their logarithms, and length scales grow with the root of the number of
    features (Hvarfner et al., "Vanilla Bayesian Optimization Performs Great in High Dimensions", ICML 2024).
    See Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006.

    Args:
        n_features: Number of features, each from about 0 to 1.

    Attributes:
        parameters: Logarithms of the variance, the noise, the rate of change with training, the drift and the
            length scales.
        prior: Means of these logarithms a priori; their standard deviations are 1.
    """

    def __init__(self, n_features: int) -> None:
        length = 0.25 * np.sqrt(n_features)
        self.prior = np.log([1.0, 0.2, 0.3, 0.3, *[length] * n_features])
        self.parameters = self.prior.copy()

    def tune(self, x: FloatArray, training: FloatArray, y: FloatArray, most: int) -> None:
        """Find the most probable parameters, starting from the last ones.

        Args:
            x: ``(n, f)`` features.
            training: ``(n,)`` base-2 logarithm of the share of the training that was done.
            y: ``(n,)`` metrics.
            most: Number of evaluations to tune to, the last ones. All of them standardise the metric, as they
                do in :meth:`fit`.
        """
        bounds = [(log - 4, log + 4) for log in self.prior]
        found = minimize(
            self.loss,
            self.parameters,
            (x[-most:], training[-most:], _standard(y)[-most:]),
            "L-BFGS-B",
            jac=True,
            bounds=bounds,
            options={"maxiter": 40},
        )
        self.parameters = found.x

    def fit(self, x: FloatArray, training: FloatArray, y: FloatArray) -> None:
        """Condition on all evaluations; arguments as in :meth:`tune`."""
        self._mean, self._scale = y.mean(), y.std()
        self._x, self._training = x, training
        covariance = self._covariance(x, training, x, training)
        covariance[np.diag_indices(len(x))] += np.exp(self.parameters[1]) + JITTER
        self._factor = cholesky(covariance, lower=True)
        self._weights = cho_solve((self._factor, True), _standard(y))

    def predict(self, x: FloatArray) -> FloatArray:
        """Return the expected metrics after the whole training, ``(n,)``."""
        mean: FloatArray = self._mean + self._scale * (self._across(x) @ self._weights)
        return mean

    def sample(self, x: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw a function and evaluate it after the whole training, ``(n,)``."""
        whole, across = np.zeros(len(x)), self._across(x)
        explained = solve_triangular(self._factor, across.T, lower=True)
        left = self._covariance(x, whole, x, whole) - explained.T @ explained
        left[np.diag_indices(len(x))] += JITTER
        drawn = across @ self._weights + cholesky(left, lower=True) @ rng.normal(size=len(x))
        return np.asarray(self._mean + self._scale * drawn)

    def _across(self, x: FloatArray) -> FloatArray:
        return self._covariance(x, np.zeros(len(x)), self._x, self._training)

    def _covariance(self, x: FloatArray, t: FloatArray, other: FloatArray, s: FloatArray) -> FloatArray:
        variance, _, rate, drift = np.exp(self.parameters[:4])
        left, right = x / np.exp(self.parameters[4:]), other / np.exp(self.parameters[4:])
        # The matrices are the largest here, and most of a proposal's time: each step overwrites the last.
        covariance: FloatArray = left @ right.T
        covariance -= 0.5 * (left**2).sum(axis=1)[:, None]
        covariance -= 0.5 * (right**2).sum(axis=1)
        np.minimum(covariance, 0, out=covariance)
        apart = np.abs(np.subtract.outer(t, s))
        apart *= rate
        covariance -= apart
        np.exp(covariance, out=covariance)
        covariance *= variance
        covariance += np.outer(drift * t, s)
        return covariance

    def loss(self, log: FloatArray, x: FloatArray, t: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
        """Return the negative logarithm of the posterior of parameters, and its gradient.

        Args:
            log: ``(4 + f,)`` parameters to try, which are kept.
            x: ``(n, f)`` features.
            t: ``(n,)`` training, as in :meth:`tune`.
            y: ``(n,)`` standardised metrics.
        """
        # 1. Covariance of the evaluations: the part that depends on features, then drift and noise.
        self.parameters = log
        noise, rate, drift = np.exp(log[1:4])
        shared = drift * np.outer(t, t)
        own = self._covariance(x, t, x, t) - shared
        factor = cholesky(own + shared + (noise + JITTER) * np.eye(len(x)), lower=True)
        inverse = cho_solve((factor, True), np.eye(len(x)))
        weights = inverse @ y
        # 2. Likelihood (Rasmussen & Williams, eq. 2.30) plus a normal prior, both up to a constant.
        apart = log - self.prior
        loss = 0.5 * y @ weights + np.log(np.diag(factor)).sum() + 0.5 * apart @ apart
        # 3. Gradient (eq. 5.9): the slope by the covariance, times the covariance's slope by each parameter.
        slope = 0.5 * (inverse - np.outer(weights, weights))
        weighted = slope * own
        scaled = x / np.exp(log[4:])
        lengths = 2 * (weighted.sum(axis=1) @ scaled**2 - (scaled * (weighted @ scaled)).sum(axis=0))
        gradient = np.array(
            [
                weighted.sum(),
                noise * np.trace(slope),
                -rate * (weighted * np.abs(t[:, None] - t)).sum(),
                (slope * shared).sum(),
                *lengths,
            ]
        )
        return float(loss), gradient + apart


def _standard(y: FloatArray) -> FloatArray:
    """Standardise metrics to mean 0 and standard deviation 1; equal metrics become 0."""
    return np.asarray((y - y.mean()) / (y.std() or 1.0))
