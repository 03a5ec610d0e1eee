"""Judges: different kinds of classifiers that try to read each factor from the codes.

Invariance is only as true as its judge: one that is too weak misses what a stronger one finds, and none is
the strongest for every encoder. The battery asks them all and reports the strongest for each factor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dcodr.evaluation.appearance import IMAGE_INFORMATIVENESS
from dcodr.evaluation.metrics import FactorOutcome, probe_metrics
from dcodr.evaluation.probes import FAST, LINEAR, PAPER, WIDE, Scale
from dcodr.evaluation.report import EncodedSplit
from dcodr.evaluation.retrieval import nearest_in

Judge = Callable[[EncodedSplit, int], dict[str, Tensor]]
"""Fits to the train split with a seed, and predicts the factors of the scored split; see `Probes.predict`."""

TREES = 100
"""Number of trees a forest."""


def ask_neighbours(k: int, encoded: EncodedSplit, seed: int) -> dict[str, Tensor]:
    """Predict the most frequent class, or the mean value, of the ``k`` nearest training codes.

    Among equally frequent classes the smallest wins. The seed has no effect.
    """
    neighbours = nearest_in(encoded.train_codes, encoded.codes, k)
    predicted = {}
    for name, known in encoded.train_factors.items():
        found = known[neighbours]
        answers = found.mode(dim=1).values if encoded.n_classes[name] else found.mean(dim=1)
        predicted[name] = answers[None]
    return predicted


def ask_trees(encoded: EncodedSplit, seed: int) -> dict[str, Tensor]:
    """Fit extremely randomised trees (Geurts et al., Machine Learning 63, 2006), and predict."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor  # takes seconds to import

    scale = Scale.of(encoded.train_codes)
    train, scored = (scale.standardise(codes).cpu().numpy() for codes in (encoded.train_codes, encoded.codes))
    predicted = {}
    for name, known in encoded.train_factors.items():
        kind = ExtraTreesClassifier if encoded.n_classes[name] else ExtraTreesRegressor
        # scikit-learn takes seeds of 32 bits.
        forest = kind(TREES, random_state=seed % 2**32, n_jobs=torch.get_num_threads())
        answers = torch.from_numpy(forest.fit(train, known.squeeze().cpu().numpy()).predict(scored))
        predicted[name] = answers.view(1, -1, *known.shape[1:]).to(known)
    return predicted


JUDGES: Mapping[str, Judge] = {
    "paper": lambda encoded, seed: encoded.probed(PAPER, seed),
    "fast": lambda encoded, seed: encoded.probed(FAST, seed),
    "wide": lambda encoded, seed: encoded.probed(WIDE, seed),
    "linear": lambda encoded, seed: encoded.probed(LINEAR, seed),
    "nearest_1": partial(ask_neighbours, 1),
    "nearest_5": partial(ask_neighbours, 5),
    "nearest_15": partial(ask_neighbours, 15),
    "trees": ask_trees,
}
"""All judges by name. The first is the paper's."""


@dataclass(frozen=True)
class Verdicts:
    """The answers of all judges about one encoder.

    Attributes:
        metrics: For each judge the metrics of ``metrics.probe_metrics``.
        strongest: For each factor the judge that reads it best; the first of equals.
        strongest_metrics: The metrics if each factor is judged by its strongest judge.
    """

    metrics: Mapping[str, Mapping[str, float]]
    strongest: Mapping[str, str]
    strongest_metrics: Mapping[str, float]

    @property
    def summary(self) -> dict[str, float]:
        """The means by the strongest judges: ``invariance/strongest``, ``informativeness/strongest``."""
        means = ("invariance", "informativeness", IMAGE_INFORMATIVENESS)
        return {f"{name}/strongest": value for name, value in self.strongest_metrics.items() if name in means}


def ask_all(
    encoded: EncodedSplit, seed: int, on_judge: Callable[[str], None] = lambda name: None
) -> dict[str, dict[str, Tensor]]:
    """Return every judge's predictions of every factor from finite codes.

    ``on_judge`` is called with the name of each judge before it is asked.
    """
    answers = {}
    for name, judge in JUDGES.items():
        on_judge(name)
        answers[name] = judge(encoded, seed)
    return answers


def verdicts(encoded: EncodedSplit, answers: Mapping[str, Mapping[str, Tensor]]) -> Verdicts:
    """Compare the answers of all judges, and find the strongest judge of each factor.

    It is chosen on the scored images, so its metric is a little too strict: a bound of what the judges can
    read.
    """
    outcomes = {name: encoded.outcomes(predicted) for name, predicted in answers.items()}
    strongest = {
        factor: max(outcomes, key=lambda judge: outcomes[judge][factor].merit) for factor in encoded.factors
    }
    best = {factor: outcomes[judge][factor] for factor, judge in strongest.items()}

    def metrics(of: Mapping[str, FactorOutcome]) -> dict[str, float]:
        attributes = {factor: outcome for factor, outcome in of.items() if factor != "domain"}
        return probe_metrics(of["domain"], attributes, encoded.mean_skill, encoded.derived)

    return Verdicts({name: metrics(of) for name, of in outcomes.items()}, strongest, metrics(best))
