"""Predictions of a config's objectives after every epoch, learned from recorded trainings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from benchmarks.search_efficiency.records import OBJECTIVES, Record
from tuning.ledger.encoding import encode
from tuning.sampling.points import Points
from tuning.space.params import Param, SubsetParam

Floats = npt.NDArray[np.float64]
Encoding = Callable[[Mapping[str, Param], Sequence[Mapping[str, Any]]], Floats]


def seen(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the sampler's features, ``(n, f)``; see :meth:`tuning.sampling.points.Points.features`."""
    return Points(params).features([encode(params, of) for of in values])


def features(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the sampler's features, and the logarithm of the size of each subset, ``(n, f)``."""
    return np.hstack([seen(params, values), sizes(params, values)])


def sizes(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the logarithm of the size of each subset, as a share of the largest, ``(n, subsets)``."""
    subsets = {key: param for key, param in params.items() if isinstance(param, SubsetParam)}
    most = {key: np.log(max(param.largest, 2)) for key, param in subsets.items()}
    found = [[np.log(max(len(of[key]), 1)) / most[key] for key in subsets] for of in values]
    return np.array(found).reshape(len(values), len(subsets))


def plain(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the sampler's features, but with 0 or 1 for a member of a subset, however many others there are.

    So the surrogate does not see subsets as the sampler does. The shape is ``(n, f)``.
    """
    rows, column = seen(params, values), 0
    for param in params.values():
        if isinstance(param, SubsetParam):
            members = slice(column, column + len(param.members))
            rows[:, members] = rows[:, members] > 0
            column = members.stop + len(param.strength_params(param.members))
    return rows


def sized(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return plain features and the sizes of subsets, ``(n, f)``."""
    return np.hstack([plain(params, values), sizes(params, values)])


class Model(Protocol):
    """A fitted regression."""

    def predict(self, x: Floats, /) -> Floats:
        """Return predictions, ``(n,)`` or ``(n, outputs)``."""


def gaussian_processes(x: Floats, y: Floats) -> list[Model]:
    """Fit a Gaussian process to each column, with a length scale for each feature.

    The scales grow with the root of the number of features, as the distances between points do, and are
    bounded, so that few configs do not overfit. The kernel is another than the sampler's.
    """
    length = 0.25 * np.sqrt(x.shape[1])
    kernel = Matern(np.full(x.shape[1], length), (length / 4, length * 8), nu=2.5)
    noisy = ConstantKernel() * kernel + WhiteKernel(0.1, (0.01, 2))
    return [GaussianProcessRegressor(noisy, normalize_y=True).fit(x, column) for column in y.T]


class Forest:
    """The mean of trees, as in scikit-learn, without its checks, which take most of the time for one config.

    Args:
        fitted: The fitted trees.
    """

    def __init__(self, fitted: ExtraTreesRegressor) -> None:
        self._trees = [one.tree_ for one in fitted.estimators_]

    def predict(self, x: Floats, /) -> Floats:
        """Return predictions, ``(n, outputs)``."""
        rows = x.astype(np.float32)
        mean: Floats = sum(tree.predict(rows)[:, :, 0] for tree in self._trees) / len(self._trees)
        return mean


def trees(x: Floats, y: Floats) -> list[Model]:
    """Fit extremely randomised trees (Geurts et al., 2006) to all columns at once.

    They average what was measured, so no prediction exceeds the record.
    """
    forest = ExtraTreesRegressor(300, max_features=0.5, min_samples_leaf=2, random_state=0)
    return [Forest(forest.fit(x, y))]


@dataclass(frozen=True)
class Kind:
    """A kind of surrogate.

    Attributes:
        encoding: The inputs that it sees.
        fit: How it learns metrics ``(n, columns)`` from inputs ``(n, f)``.
        joint: One model learns all columns, so that each column changes the predictions of the others.
    """

    encoding: Encoding
    fit: Callable[[Floats, Floats], list[Model]]
    joint: bool = False


KINDS = {
    "features": Kind(features, gaussian_processes),
    "booleans": Kind(plain, gaussian_processes),
    "trees": Kind(sized, trees, joint=True),
}
USUAL = {"embedded": "features", "cars3d": "trees"}
"""The kind for each record: on Cars3D, Gaussian processes promise more than can be reached."""


def predicted(models: Sequence[Model], x: Floats) -> Floats:
    """Return the predictions of several models side by side, ``(n, outputs)``."""
    columns: Floats = np.hstack([model.predict(x).reshape(len(x), -1) for model in models])
    return columns


def cross_validated(record: Record, params: Mapping[str, Param], kind: Kind) -> dict[str, float]:
    """Return rank correlations of the last epoch's objectives with predictions from 32 folds of configs."""
    n = len(OBJECTIVES)
    x, every = kind.encoding(params, record.values), _flat(record)
    y = every if kind.joint else every[:, -n:]
    last = np.empty((len(x), n))
    for known, new in GroupKFold(32, shuffle=True, random_state=0).split(x, groups=record.configs):
        last[new] = predicted(kind.fit(x[known], y[known]), x[new])[:, -n:]
    pairs = zip(OBJECTIVES, last.T, y.T[-n:], strict=True)
    return {name: float(spearmanr(expected, measured).statistic) for name, expected, measured in pairs}


class Surrogate:
    """A predictor of both objectives after every epoch, with the noise of a training's seed.

    The noise is drawn from the normal distribution of the recorded differences between seeds of the same
    config, with their correlation over epochs and objectives.

    Args:
        record: The recorded trainings.
        params: The searched parameters.
        kind: The inputs and the regression.
    """

    def __init__(self, record: Record, params: Mapping[str, Param], kind: Kind) -> None:
        self._params, self._encoding = params, kind.encoding
        self.epochs = record.metrics.shape[1]
        # Another number of threads rounds differently, which is enough to change the course of a search.
        with threadpool_limits(1):
            self._models = kind.fit(kind.encoding(params, record.values), _flat(record))
        self.noise = seed_covariance(record)

    def truth(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives without noise, ``(n, epochs, 2)``."""
        return self._predicted(values, self._models).reshape(len(values), self.epochs, len(OBJECTIVES))

    def last(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives after the last epoch without noise, ``(n, 2)``, as the last of `truth`."""
        return self._predicted(values, self._models[-len(OBJECTIVES) :])[:, -len(OBJECTIVES) :]

    def _predicted(self, values: Sequence[Mapping[str, Any]], models: Sequence[Model]) -> Floats:
        return predicted(models, self._encoding(self._params, values)).clip(0, 1)

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        """Return objectives as a training would report them, ``(epochs, 2)``."""
        noise = rng.multivariate_normal(np.zeros(len(self.noise)), self.noise, method="cholesky")
        noisy: Floats = self.truth([values])[0] + noise.reshape(self.epochs, -1)
        return noisy.clip(0, 1)


def _flat(record: Record) -> Floats:
    """Return the metrics of each training in a row, ``(n, epochs * 2)``; the last epoch's are the last."""
    return record.metrics.reshape(len(record.metrics), -1)


def seed_covariance(record: Record) -> Floats:
    """Return the covariance of metrics between seeds of a config, pooled over configs with several seeds."""
    flat = _flat(record)
    scatter, freedom = np.zeros((flat.shape[1],) * 2), 0
    for config in np.unique(record.configs):
        rows = flat[record.configs == config]
        centred = rows - rows.mean(axis=0)
        scatter += centred.T @ centred
        freedom += len(rows) - 1
    # The small diagonal keeps the matrix positive definite for the Cholesky factorisation.
    return scatter / max(freedom, 1) + 1e-9 * np.eye(len(scatter))
