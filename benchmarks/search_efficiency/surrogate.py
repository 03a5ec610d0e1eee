"""Predictions of a config's objectives after every epoch, learned from real trainings of ``space.yaml``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GroupKFold, cross_val_predict

from tuning.ledger.encoding import encode
from tuning.sampling.points import Points
from tuning.space.params import Param

RECORD = Path(__file__).parent / "record.jsonl"
SPACE = Path(__file__).with_name("space.yaml")
OBJECTIVES = ("invariance", "informativeness")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """The recorded trainings.

    Attributes:
        configs: ``(n,)`` index of the config of each training.
        values: Values of the searched settings of each training.
        figures: ``(n, epochs, 2)`` objectives of each training after every epoch.
    """

    configs: npt.NDArray[np.int64]
    values: list[dict[str, Any]]
    figures: Floats


def read_record(path: Path = RECORD) -> Record:
    """Read the record without trainings that diverged or collapsed."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    epochs = max(len(run["epochs"]) for run in runs)
    whole = [
        run
        for run in runs
        if len(run["epochs"]) == epochs and not any(epoch["infeasible"] for epoch in run["epochs"])
    ]
    whole.sort(key=lambda run: (run["config"], run["seed"]))
    figures = [[[epoch[name] for name in OBJECTIVES] for epoch in run["epochs"]] for run in whole]
    return Record(
        np.array([run["config"] for run in whole]), [run["values"] for run in whole], np.array(figures)
    )


def features(params: Mapping[str, Param], values: Sequence[Mapping[str, Any]]) -> Floats:
    """Return features ``(n, f)``, see :meth:`tuning.sampling.points.Points.features`."""
    return Points(params).features([encode(params, of) for of in values])


def gaussian_process(n_features: int) -> GaussianProcessRegressor:
    """Make a Gaussian process with a length scale for each feature."""
    scales = RBF(np.ones(n_features), (0.1, 100))
    return GaussianProcessRegressor(ConstantKernel() * scales + WhiteKernel(0.1, (0.01, 2)), normalize_y=True)


def cross_validated(record: Record, params: Mapping[str, Param]) -> dict[str, float]:
    """Return rank correlations of the last epoch's objectives with predictions from ten folds of configs."""
    x = features(params, record.values)
    result = {}
    for i, name in enumerate(OBJECTIVES):
        y = record.figures[:, -1, i]
        folds = GroupKFold(10)
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
    """

    def __init__(self, record: Record, params: Mapping[str, Param]) -> None:
        self._params = params
        self.epochs = record.figures.shape[1]
        x, y = features(params, record.values), record.figures.reshape(len(record.figures), -1)
        self._models = [gaussian_process(x.shape[1]).fit(x, column) for column in y.T]
        self.noise = seed_covariance(record)

    def truth(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the objectives without noise, ``(n, epochs, 2)``."""
        x = features(self._params, values)
        flat = np.stack([model.predict(x) for model in self._models], axis=1)
        clipped: Floats = flat.clip(0, 1)
        return clipped.reshape(len(values), self.epochs, len(OBJECTIVES))

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        """Return objectives as a training would report them, ``(epochs, 2)``."""
        noise = rng.multivariate_normal(np.zeros(len(self.noise)), self.noise, method="cholesky")
        noisy: Floats = self.truth([values])[0] + noise.reshape(self.epochs, -1)
        return noisy.clip(0, 1)


def seed_covariance(record: Record) -> Floats:
    """Return the covariance of metrics between seeds of a config, pooled over configs with several seeds."""
    flat = record.figures.reshape(len(record.figures), -1)
    scatter, freedom = np.zeros((flat.shape[1],) * 2), 0
    for config in np.unique(record.configs):
        rows = flat[record.configs == config]
        centred = rows - rows.mean(axis=0)
        scatter += centred.T @ centred
        freedom += len(rows) - 1
    # The small diagonal keeps the matrix positive definite for the Cholesky factorisation.
    return scatter / max(freedom, 1) + 1e-9 * np.eye(len(scatter))
