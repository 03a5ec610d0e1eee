"""The process agrees with scikit-learn's and the closed form, and learns from unfinished trainings."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from tuning.sampling.gaussian_process import JITTER, FloatArray, GaussianProcess

RNG = np.random.default_rng(0)
X = RNG.random((30, 3))
Y = np.sin(4 * X[:, 0]) + X[:, 1] + 0.1 * RNG.normal(size=30)
NEW = RNG.random((8, 3))
WHOLE = np.zeros(30)


def reference(process: GaussianProcess) -> GaussianProcessRegressor:
    """scikit-learn's process with the same parameters, of trainings that are whole."""
    parameters = np.exp(process.parameters)
    kernel = ConstantKernel(parameters[0]) * RBF(parameters[4:]) + WhiteKernel(parameters[1] + JITTER)
    fitted = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
    return fitted.fit(X, Y)


@pytest.mark.parametrize("tuned", [False, True])
def test_predictions_are_those_of_scikit_learn(tuned: bool) -> None:
    process = GaussianProcess(3)
    if tuned:
        process.tune(X, WHOLE, Y, most=1000)
    process.fit(X, WHOLE, Y)
    assert process.predict(NEW) == pytest.approx(reference(process).predict(NEW), abs=1e-6)


def test_samples_have_the_mean_and_covariance_of_the_posterior() -> None:
    process = GaussianProcess(3)
    process.fit(X, WHOLE, Y)
    rng = np.random.default_rng(1)
    drawn = np.stack([process.sample(NEW, rng) for _ in range(1500)])
    mean, covariance = reference(process).predict(NEW, return_cov=True)
    # scikit-learn counts the noise of new judgements too: a drawn function has none.
    covariance -= np.eye(8) * (np.exp(process.parameters[1])) * Y.std() ** 2
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.05)
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.02)


def test_draws_are_as_wide_as_the_mean_is_wrong_where_a_search_concentrates() -> None:
    """The last evaluations spread less than all, and the parameters are tuned to the last."""
    rng = np.random.default_rng(3)

    def measured(x: FloatArray) -> FloatArray:
        values: FloatArray = np.sin(3 * x[:, 0]) + x[:, 1] ** 2
        return values

    wide, near = rng.random((60, 3)), 0.5 + rng.normal(0, 0.03, (60, 3))
    x = np.concatenate([wide, near])
    process = GaussianProcess(3)
    process.tune(x, np.zeros(120), measured(x) + rng.normal(0, 0.01, 120), most=60)
    process.fit(x, np.zeros(120), measured(x) + rng.normal(0, 0.01, 120))
    new = 0.5 + rng.normal(0, 0.03, (40, 3))
    spread = np.stack([process.sample(new, rng) for _ in range(200)]).std(axis=0).mean()
    error = np.sqrt(np.mean((process.predict(new) - measured(new)) ** 2))
    assert error / 3 < spread < 3 * error


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    process, training = GaussianProcess(3), RNG.choice([-2.0, -1.0, 0.0], 30)
    standard = (Y - Y.mean()) / Y.std()
    start = process.prior + RNG.normal(0, 0.3, 7)

    def loss(log: FloatArray) -> float:
        return process.loss(log, X, training, standard)[0]

    def gradient(log: FloatArray) -> FloatArray:
        return process.loss(log, X, training, standard)[1]

    assert check_grad(loss, gradient, start) < 1e-3


def test_features_without_influence_get_long_length_scales() -> None:
    process = GaussianProcess(3)
    process.tune(X, WHOLE, Y, most=1000)
    influence = -process.parameters[4:]
    assert influence[0] > influence[1] > influence[2]


def test_unfinished_trainings_tell_of_whole_ones_as_far_as_they_agree() -> None:
    rng = np.random.default_rng(2)
    x = rng.random((80, 2))
    whole = 2 * x[:, 0] - x[:, 1]
    training = np.where(np.arange(80) < 20, 0.0, -2.0)
    new = rng.random((200, 2))

    def correlation(early: FloatArray) -> float:
        process = GaussianProcess(2)
        y = np.where(training == 0, whole, early) + rng.normal(0, 0.3, 80)
        process.tune(x, training, y, most=1000)
        process.fit(x, training, y)
        return float(spearmanr(process.predict(new), 2 * new[:, 0] - new[:, 1]).statistic)

    alike = [correlation(whole - 0.5) for _ in range(5)]
    unlike = [correlation(rng.normal(size=80)) for _ in range(5)]
    assert np.mean(alike) > 0.95
    assert np.mean(unlike) > 0.7
    assert np.mean(alike) > np.mean(unlike)


def test_equal_figures_and_repeated_points_are_no_trouble() -> None:
    process = GaussianProcess(3)
    x = np.repeat(X[:1], 6, axis=0)
    process.tune(x, np.zeros(6), np.ones(6), most=1000)
    process.fit(x, np.zeros(6), np.ones(6))
    assert process.predict(NEW) == pytest.approx(np.ones(8))
    assert process.sample(NEW, RNG) == pytest.approx(np.ones(8))
