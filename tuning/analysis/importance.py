"""How much each searched setting matters for an objective: Optuna's fANOVA and PED-ANOVA.

* fANOVA (Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014): share of
  the variance of the objective over the whole space that a setting accounts for alone, by a random forest.
* PED-ANOVA (Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
  Subspaces", IJCAI 2023): how much a setting tells the best trials from all trials. It also judges what only
  some trials have; with few trials it is much noisier than fANOVA.

Shares sum to 1 however little the trials can tell: they rank the settings, they do not say that any matters.
"""

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.trial import FrozenTrial

from tuning.params import Param, SubsetParam
from tuning.pareto import Direction


def n_best(trials: int) -> int:
    """How many of some trials PED-ANOVA sets against all: a tenth; at least 10, but no more than half."""
    return min(max(trials // 10, 10), trials // 2)


@dataclass(frozen=True)
class Importance:
    """How much a setting matters for one objective.

    Attributes:
        name: The setting's key; of a member ``key.member``.
        of: The subset that it is a member of.
        trials: Trials that have the setting.
        fanova: Its share by fANOVA; ``None`` for a setting that only some trials have.
        ped_anova: Its share by PED-ANOVA.
    """

    name: str
    of: str | None
    trials: int
    fanova: float | None
    ped_anova: float


def importances(
    study: optuna.Study,
    numbers: Collection[int],
    params: Mapping[str, Param],
    objective: int,
    direction: Direction,
    seed: int = 0,
) -> list[Importance]:
    """Tell how much each setting matters for an objective.

    The evaluators count every trial that Optuna holds as complete, infeasible ones included; they are given
    only those named. Settings that are searched on a logarithmic scale are judged on it (fANOVA would
    otherwise weigh the space by its upper end).

    Args:
        study: The search's study.
        numbers: The trials to judge by; the objective must not be the same in all of them.
        params: The searched parameters.
        objective: Index of the objective.
        direction: What is better.
        seed: Seed of the random forest.

    Returns:
        Settings by fANOVA's share, largest first, at the end those without one. A subset has the sum of its
        members' shares and is followed by them. Settings that no trial has are left out.
    """
    chosen = [trial for trial in study.get_trials(deepcopy=False) if trial.number in numbers]
    copy = optuna.create_study(direction=direction)
    copy.add_trials([_on_search_scale(trial, objective) for trial in chosen])
    quantile = n_best(len(chosen)) / len(chosen)
    ped_anova = _shares(copy, PedAnovaImportanceEvaluator(target_quantile=quantile))
    fanova = _shares(copy, FanovaImportanceEvaluator(seed=seed))
    names = {name: sum(name in trial.params for trial in chosen) for name in ped_anova}
    result = []
    for key, param in params.items():
        members = [f"{key}.{member}" for member in param.members] if isinstance(param, SubsetParam) else []
        rows = [
            Importance(name, key, names.pop(name), fanova.get(name), ped_anova[name])
            for name in members
            if name in names
        ]
        if rows:
            rows.sort(key=_rank)
            result.append([_total(key, rows), *rows])
    result += [[Importance(name, None, n, fanova.get(name), ped_anova[name])] for name, n in names.items()]
    result.sort(key=lambda rows: _rank(rows[0]))
    return [row for rows in result for row in rows]


def _total(key: str, members: Sequence[Importance]) -> Importance:
    """The row of a subset; the same trials have all of its members."""
    fanova = [row.fanova for row in members if row.fanova is not None]
    ped_anova = sum(row.ped_anova for row in members)
    return Importance(key, None, members[0].trials, sum(fanova) if fanova else None, ped_anova)


def _rank(row: Importance) -> tuple[bool, float]:
    return row.fanova is None, -(row.ped_anova if row.fanova is None else row.fanova)


def _shares(study: optuna.Study, evaluator: BaseImportanceEvaluator) -> dict[str, float]:
    """Importances that sum to 1; all 0 if there is nothing to share."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(raw.values())
    return {name: value / total if total else 0.0 for name, value in raw.items()}


def _on_search_scale(trial: FrozenTrial, objective: int) -> FrozenTrial:
    """A trial of one objective, with the logarithm of every parameter that is searched by it."""
    params, distributions = dict(trial.params), dict(trial.distributions)
    for name, space in trial.distributions.items():
        if isinstance(space, (FloatDistribution, IntDistribution)) and space.log:
            params[name] = math.log(params[name])
            distributions[name] = FloatDistribution(math.log(space.low), math.log(space.high))
    return optuna.create_trial(params=params, distributions=distributions, value=trial.values[objective])
