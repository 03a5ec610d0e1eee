"""Importance of each searched setting for an objective: Optuna's fANOVA and PED-ANOVA.

* fANOVA (Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014): share of
  the variance of the objective over the whole space that a setting accounts for alone, by a random forest.
* PED-ANOVA (Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
  Subspaces", IJCAI 2023): how well a setting separates the best trials from all trials. PED-ANOVA also
  judges settings that only some trials have; with few trials it is much noisier than fANOVA.

Both are means over resamples of the trials (a bootstrap), with 95 % intervals from their spread. Each tree of
fANOVA's forest is grown on its own resample. Shares sum to 1 over the settings with enough trials
(:mod:`tuning.analysis.evidence`) even if no setting matters: shares rank the settings and prove nothing else.
"""

import math
import warnings
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning.analysis.evidence import Estimate, enough, sides
from tuning.ledger.encoding import encode, needed
from tuning.ledger.trials import TrialRecord
from tuning.pareto import Direction
from tuning.space.params import Param, SubsetParam

Shares = dict[str, float]
"""The share of each setting in one resample."""
RESAMPLES = 64
"""Resamples of the trials; for fANOVA the trees of its forest."""


def n_best(trials: int) -> int:
    """Return how many best trials PED-ANOVA compares with all: a tenth; at least 10, at most half."""
    return min(max(trials // 10, 10), trials // 2)


@dataclass(frozen=True)
class Importance:
    """Importance of a setting for one objective.

    Attributes:
        name: The setting's key; for a member ``key.member``.
        of: The subset that the setting is a member of.
        trials: Number of trials with the setting.
        compared: Trials with a member and without it, or on the two sides of
            :func:`tuning.analysis.evidence.sides`; ``None`` for a subset, the sum of its members.
        fanova: Share by fANOVA; ``None`` if only some trials have the setting, or there are too few.
        ped_anova: Share by PED-ANOVA; ``None`` if there are too few trials.
    """

    name: str
    of: str | None
    trials: int
    compared: tuple[int, int] | None
    fanova: Estimate | None
    ped_anova: Estimate | None

    @property
    def short(self) -> str:
        """The name in a list where members follow their subset, e.g. ``· crop``."""
        return f"· {self.name.removeprefix(f'{self.of}.')}" if self.of else self.name


def importances(
    params: Mapping[str, Param],
    trials: Sequence[TrialRecord],
    objective: str,
    direction: Direction,
    seed: int = 0,
) -> list[Importance]:
    """Compute the importance of each setting for an objective.

    Settings that are searched on a logarithmic scale are judged on that scale (fANOVA would otherwise weigh
    the space by its upper end).

    Args:
        params: The searched parameters.
        trials: The trials to judge by; the objective must not be the same in all of them.
        objective: Name of the objective.
        direction: Direction of the objective.
        seed: Seed of the resamples.

    Returns:
        Settings by fANOVA's share, largest first; then those with a share by PED-ANOVA alone, then those
        without a share. A subset has the sum of its members' shares, and its members follow it. Settings that
        no trial has are left out.
    """
    chosen = [_on_search_scale(trial, params, objective) for trial in trials]
    compared = {name: _compared(name, chosen) for name in dict.fromkeys(n for t in chosen for n in t.params)}
    told = [name for name, groups in compared.items() if enough(*groups)]
    everywhere = [name for name in told if all(name in trial.params for trial in chosen)]
    judged = optuna.create_study(direction=direction)
    judged.add_trials(chosen)
    fanova = _normalised(_fanova(judged, seed), everywhere)
    ped_anova = _normalised(_ped_anova(judged, seed), told)

    def row(name: str, of: str | None) -> Importance:
        n_trials = sum(name in trial.params for trial in chosen)
        shares = (_estimate(drawn, [name]) for drawn in (fanova, ped_anova))
        return Importance(name, of, n_trials, compared[name], *shares)

    result, left = [], list(compared)
    for key, param in params.items():
        members = [f"{key}.{member}" for member in param.members] if isinstance(param, SubsetParam) else []
        rows = sorted((row(name, key) for name in members if name in left), key=_rank)
        left = [name for name in left if name not in members]
        if rows:
            shares = (_estimate(drawn, members) for drawn in (fanova, ped_anova))
            result.append([Importance(key, None, rows[0].trials, None, *shares), *rows])
    result += [[row(name, None)] for name in left]
    result.sort(key=lambda rows: _rank(rows[0]))
    return [row for rows in result for row in rows]


def _compared(name: str, trials: Sequence[FrozenTrial]) -> tuple[int, int]:
    """Count the trials that a setting compares; for a member those with and without it."""
    having = [trial for trial in trials if name in trial.params]
    values, distribution = [trial.params[name] for trial in having], having[0].distributions[name]
    if isinstance(distribution, CategoricalDistribution) and distribution.choices == (False, True):
        return values.count(True), values.count(False)
    return sides(values, ordered=not isinstance(distribution, CategoricalDistribution))


def _rank(row: Importance) -> tuple[bool, bool, float]:
    share = row.fanova or row.ped_anova
    return row.fanova is None, row.ped_anova is None, -share.mean if share else 0.0


def _estimate(drawn: Sequence[Shares], names: Collection[str]) -> Estimate | None:
    """Sum the shares of some settings; ``None`` if none of them has a share."""
    known = [name for name in names if drawn and name in drawn[0]]
    return Estimate.of([sum(shares[name] for name in known) for shares in drawn]) if known else None


def _fanova(study: optuna.Study, seed: int) -> Iterator[Shares]:
    """Yield the importances by each tree of a forest, for the settings that all trials have."""
    for i in range(RESAMPLES):
        try:
            yield _importances(study, FanovaImportanceEvaluator(n_trees=1, seed=seed + i))
        except RuntimeError:  # the objective is the same in all trials that the tree was grown on
            continue


def _ped_anova(study: optuna.Study, seed: int) -> Iterator[Shares]:
    """Yield the importances in each resample of the trials."""
    trials, rng = study.get_trials(deepcopy=False), np.random.default_rng(seed)
    n = len(trials)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=n_best(n) / n)
    for _ in range(RESAMPLES):
        drawn = [trials[i] for i in rng.integers(n, size=n)]
        yield _importances(_Resample(study.direction, drawn), evaluator)


class _Resample(optuna.Study):
    """A study of trials drawn from another study; a storage would copy every trial."""

    def __init__(self, direction: StudyDirection, trials: list[FrozenTrial]) -> None:
        storage = InMemoryStorage()
        storage.create_new_study([direction], study_name="resample")
        super().__init__("resample", storage)
        self._drawn = trials

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return all trials; all are complete."""
        return self._drawn


def _importances(study: optuna.Study, evaluator: BaseImportanceEvaluator) -> Shares:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_param_importances(study, evaluator=evaluator, normalize=False)


def _normalised(drawn: Iterator[Shares], told: Collection[str]) -> list[Shares]:
    """Make the shares of the settings sum to 1 in each resample; skip resamples without any share."""
    result = []
    for importances in drawn:
        total = sum(importances.get(name, 0.0) for name in told)
        if total > 0:
            result.append({name: importances.get(name, 0.0) / total for name in told})
    return result


def _on_search_scale(trial: TrialRecord, params: Mapping[str, Param], objective: str) -> FrozenTrial:
    """Return a trial of one objective, with the logarithm of every parameter on a logarithmic scale."""
    drawn = encode(params, trial.values)
    distributions = needed(params, drawn)
    for name, space in distributions.items():
        if isinstance(space, (FloatDistribution, IntDistribution)) and space.log:
            drawn[name] = math.log(drawn[name])
            distributions[name] = FloatDistribution(math.log(space.low), math.log(space.high))
    values = {name: drawn[name] for name in distributions}
    return optuna.create_trial(params=values, distributions=distributions, value=trial.metrics[objective])
