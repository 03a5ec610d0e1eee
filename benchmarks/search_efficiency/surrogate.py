"""Predictions of a config's objectives after every epoch, learned from recorded trainings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import GroupKFold, cross_val_predict

from benchmarks.search_efficiency.records import OBJECTIVES, Record
from tuning.ledger.encoding import encode
from tuning.sampling.points import Points
from tuning.space.params import Param, SubsetParam

Floats = npt.NDArray[np.float64]
Encoding = Callable[[Mapping[str, Param], Sequence[Mapping[str, Any]]], Floats]


def features(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the sampler's features, and the logarithm of the size of each subset, ``(n, f)``.

    See :meth:`tuning.sampling.points.Points.features`.
    """
    subsets = {key: param for key, param in params.items() if isinstance(param, SubsetParam)}
    most = {key: np.log(max(param.largest, 2)) for key, param in subsets.items()}
    sizes = [[np.log(max(len(of[key]), 1)) / most[key] for key in subsets] for of in values]
    return np.hstack([Points(params).features([encode(params, of) for of in values]), np.array(sizes)])


def plain(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return features ``(n, f)`` in which a member of a subset is 0 or 1, however many others there are.

    So the surrogate does not see subsets as the sampler does.
    """
    subsets = {key: param for key, param in params.items() if isinstance(param, SubsetParam)}
    members = [[m in of[key] for key, param in subsets.items() for m in param.members] for of in values]
    numbers = features({key: params[key] for key in params if key not in subsets}, values)
    return np.hstack([np.array(members, dtype=np.float64), numbers])


ENCODINGS: dict[str, Encoding] = {"features": features, "booleans": plain}
"""The inputs of a surrogate: features of subsets, or plain booleans for their members."""


def gaussian_process(n_features: int) -> GaussianProcessRegressor:
    """Make a Gaussian process with a length scale for each feature.

    The scales grow with the root of the number of features, as the distances between points do, and are
    bounded, so that few configs do not overfit. The kernel is another than the sampler's.
    """
    length = 0.25 * np.sqrt(n_features)
    kernel = Matern(np.full(n_features, length), (length / 4, length * 8), nu=2.5)
    return GaussianProcessRegressor(ConstantKernel() * kernel + WhiteKernel(0.1, (0.01, 2)), normalize_y=True)


def cross_validated(
    record: Record, params: Mapping[str, Param], encoding: Encoding = features
) -> dict[str, float]:
    """Return rank correlations of the last epoch's objectives with predictions from 32 folds of configs."""
    x = encoding(params, record.values)
    result = {}
    for i, name in enumerate(OBJECTIVES):
        y = record.metrics[:, -1, i]
        folds = GroupKFold(32, shuffle=True, random_state=0)
        predicted = cross_val_predict(gaussian_process(x.shape[1]), x, y, groups=record.configs, cv=folds)
        result[name] = float(spearmanr(predicted, y).statistic)
    return result


class Surrogate:
    """A predictor of both objectives after every epoch, with the noise of a training's seed.

    It has a Gaussian process for each objective and epoch. The noise is drawn from the normal distribution of
    the recorded differences between seeds of the same config, with their correlation over epochs and
    objectives.

    Args:
        record: The recorded trainings.
        params: The searched parameters.
        encoding: Returns features of values.
    """

    def __init__(self, record: Record, params: Mapping[str, Param], encoding: Encoding = features) -> None:
        self._params, self._encoding = params, encoding
        self.epochs = record.metrics.shape[1]
        x, y = encoding(params, record.values), record.metrics.reshape(len(record.metrics), -1)
        self._models = [gaussian_process(x.shape[1]).fit(x, column) for column in y.T]
        self.noise = seed_covariance(record)

    def truth(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives without noise, ``(n, epochs, 2)``."""
        return self._predicted(values, self._models).reshape(len(values), self.epochs, len(OBJECTIVES))

    def last(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives after the last epoch without noise, ``(n, 2)``, as the last of `truth`."""
        return self._predicted(values, self._models[-len(OBJECTIVES) :])

    def _predicted(
        self, values: Sequence[Mapping[str, Any]], models: Sequence[GaussianProcessRegressor]
    ) -> Floats:
        x = self._encoding(self._params, values)
        predicted: Floats = np.stack([model.predict(x) for model in models], axis=1).clip(0, 1)
        return predicted

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        """Return objectives as a training would report them, ``(epochs, 2)``."""
        noise = rng.multivariate_normal(np.zeros(len(self.noise)), self.noise, method="cholesky")
        noisy: Floats = self.truth([values])[0] + noise.reshape(self.epochs, -1)
        return noisy.clip(0, 1)


def seed_covariance(record: Record) -> Floats:
    """Return the covariance of metrics between seeds of a config, pooled over configs with several seeds."""
    flat = record.metrics.reshape(len(record.metrics), -1)
    scatter, freedom = np.zeros((flat.shape[1],) * 2), 0
    for config in np.unique(record.configs):
        rows = flat[record.configs == config]
        centred = rows - rows.mean(axis=0)
        scatter += centred.T @ centred
        freedom += len(rows) - 1
    # The small diagonal keeps the matrix positive definite for the Cholesky factorisation.
    return scatter / max(freedom, 1) + 1e-9 * np.eye(len(scatter))
