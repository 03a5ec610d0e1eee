"""Effects of the members of a subset on an objective: main effect, pairwise interactions, Shapley value.

There are few trials and many sets, so a model is fitted to the trials: an objective is quadratic in the
members of the set and linear in every other searched number (on its search scale; a strength counts if its
member is chosen). With ``x_i`` 1 if member i is in a trial's set, else 0, and ``m_i`` the share of trials
that have it,

    v(x) = c_0 + sum_i c_i (x_i - m_i) + sum_{i<j} c_ij (x_i - m_i)(x_j - m_j) + other settings.

* The *main effect* of i is ``c_i``: the change of v when i joins the set and all else is kept, averaged over
  the sets of the trials.
* The *interaction* of i and j is ``c_ij``: the change of v by i in sets with j, minus that in sets without j.
* The *Shapley value* of i is its change of v averaged over all orders in which the set could be filled, for
  the game ``v(S) - v(empty)`` (Shapley, "A value for n-person games", 1953). For a quadratic game it is
  ``b_i + sum_j c_ij / 2``, where ``b_i = c_i - sum_j c_ij m_j`` is the effect of i alone. The Shapley value
  weighs sets of every size, also those larger than the space allows. It differs from the main effect by
  interactions alone.

All three are linear in the coefficients. The posterior of :mod:`tuning.analysis.regression` shrinks members,
interactions and other settings as three groups, and gives each effect its mean and 95 % credible interval.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuning.analysis.evidence import Estimate, enough
from tuning.analysis.regression import draw, explained
from tuning.pareto import FloatArray
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam

DRAWS = 3000


@dataclass(frozen=True)
class MemberEffect:
    """Effect of one member, with the numbers of trials with and without it; ``None`` if they are too few."""

    member: str
    chosen: int
    left_out: int
    main: Estimate | None
    shapley: Estimate | None


@dataclass(frozen=True)
class PairEffect:
    """Interaction of two members, with the numbers of trials of each kind; ``None`` if they are too few."""

    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int
    interaction: Estimate | None


@dataclass(frozen=True)
class Attribution:
    """Effects of the members of a subset on one objective.

    Attributes:
        members: Effect of each member, in the order of the space.
        pairs: Interaction of each pair.
        explained: Share of the variance between trials that the model predicts in trials it was not fitted
            to; 0 or less if it predicts nothing.
    """

    members: list[MemberEffect]
    pairs: list[PairEffect]
    explained: float

    def clear_pairs(self) -> list[PairEffect]:
        """Return the pairs whose interaction is clear of 0, the largest first."""
        clear = [(abs(p.interaction.mean), p) for p in self.pairs if p.interaction and p.interaction.clear]
        clear.sort(key=lambda item: item[0], reverse=True)
        return [pair for _, pair in clear]


def attribute(
    params: Mapping[str, Param],
    subset: str,
    trials: Sequence[Mapping[str, Any]],
    objective: Sequence[float],
    seed: int = 0,
) -> Attribution:
    """Attribute an objective to the members of a subset.

    Args:
        params: The searched parameters.
        subset: Key of the subset among them.
        trials: Values of each trial, as in :class:`tuning.ledger.trials.TrialRecord`.
        objective: The objective of each trial.
        seed: Seed of the posterior's draws and of the cross-validation.

    Returns:
        Effects of the members and pairs that have enough trials, and the numbers of trials of all. A member
        that is in every trial's set, or in none, is no player of the game.

    Raises:
        ValueError: If the objective is the same in all trials.
    """
    param = params[subset]
    assert isinstance(param, SubsetParam)
    members = param.members
    inside = np.array([[member in values[subset] for member in members] for values in trials], dtype=float)
    y = np.asarray(objective, dtype=float)
    # A member that all trials have, or none, has a constant column: its effect cannot be told from the mean.
    players = np.flatnonzero(np.ptp(inside, axis=0))
    x = inside[:, players] - inside[:, players].mean(axis=0)
    pairs = [
        (i, j) for i, j in itertools.combinations(range(len(players)), 2) if np.ptp(x[:, i] * x[:, j]) > 0
    ]
    products = [x[:, i] * x[:, j] for i, j in pairs]
    others = list(_others(params, subset, trials))
    columns = np.column_stack([x, *products, *others])
    sizes = [len(players), len(products), len(others)]
    # Groups are numbered from 0 on without gaps: an empty kind of column gets no number.
    groups = np.repeat(np.arange(np.count_nonzero(sizes)), [size for size in sizes if size]).tolist()
    rng = np.random.default_rng(seed)
    drawn = draw(columns, groups, y, DRAWS, rng)
    main, interaction, shapley = _effects(drawn, pairs, inside[:, players].mean(axis=0))
    player = {members[k]: i for i, k in enumerate(players)}
    return Attribution(
        [_member(name, inside[:, k], player, main, shapley) for k, name in enumerate(members)],
        [
            _pair((members[i], members[j]), inside[:, [i, j]], player, interaction)
            for i, j in itertools.combinations(range(len(members)), 2)
        ],
        explained(columns, groups, y, rng),
    )


def shapley_values(alone: FloatArray, interaction: FloatArray) -> FloatArray:
    """Return the Shapley values of the game ``sum_{i in S} alone_i + sum_{i<j in S} interaction_ij``.

    Args:
        alone: ``(..., m)`` value of each player alone.
        interaction: ``(..., m, m)`` symmetric, with zeros on its diagonal.

    Returns:
        ``(..., m)``.
    """
    return np.asarray(alone + interaction.sum(axis=-1) / 2)


def _effects(
    drawn: FloatArray, pairs: Sequence[tuple[int, int]], shares: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return draws of main effects ``(n, m)``, interactions ``(n, m, m)`` and Shapley values ``(n, m)``."""
    m = len(shares)
    main = drawn[:, :m]
    interaction = np.zeros((len(drawn), m, m))
    for k, (i, j) in enumerate(pairs, start=m):
        interaction[:, i, j] = interaction[:, j, i] = drawn[:, k]
    alone = main - interaction @ shares
    return main, interaction, shapley_values(alone, interaction)


def _others(
    params: Mapping[str, Param], subset: str, trials: Sequence[Mapping[str, Any]]
) -> Iterator[FloatArray]:
    """Yield a column for each other number, in standard deviations, and one for each choice.

    A number that a trial's members or method do not use is at its mean.
    """
    chosen = params[subset]
    assert isinstance(chosen, SubsetParam)
    settings = {key: param for key, param in params.items() if key != subset}
    for key, param in (settings | chosen.strength_params(chosen.members)).items():
        if isinstance(param, CategoricalParam):
            columns = [
                np.array([v.get(key) == choice for v in trials], dtype=float) for choice in param.choices
            ]
        elif isinstance(param, (FloatParam, IntParam)):
            columns = [_standardised(key, param, trials)]
        else:
            raise ValueError(f"{key}: a second subset beside {subset}")
        yield from (column for column in columns if np.ptp(column) > 0)


def _standardised(key: str, param: FloatParam | IntParam, trials: Sequence[Mapping[str, Any]]) -> FloatArray:
    """Return a number on its search scale in standard deviations; 0, the mean, for trials without it."""
    known = np.array([key in values for values in trials])
    column = np.zeros(len(trials))
    if known.any():
        scale = np.array([float(values[key]) for values in trials if key in values])
        scale = np.log(scale) if param.log else scale
        column[known] = (scale - scale.mean()) / (scale.std() if np.ptp(scale) > 0 else 1.0)
    return column


def _member(
    name: str, inside: FloatArray, player: Mapping[str, int], main: FloatArray, shapley: FloatArray
) -> MemberEffect:
    chosen = int(inside.sum())
    left_out = len(inside) - chosen
    if not enough(chosen, left_out):
        return MemberEffect(name, chosen, left_out, None, None)
    i = player[name]
    return MemberEffect(name, chosen, left_out, Estimate.of(main[:, i]), Estimate.of(shapley[:, i]))


def _pair(
    names: tuple[str, str], inside: FloatArray, player: Mapping[str, int], interaction: FloatArray
) -> PairEffect:
    first, second = inside.astype(bool).T
    cells = [first & second, first & ~second, ~first & second, ~first & ~second]
    both, only_first, only_second, neither = (int(cell.sum()) for cell in cells)
    estimate = None
    if enough(both, only_first, only_second, neither):
        estimate = Estimate.of(interaction[:, player[names[0]], player[names[1]]])
    return PairEffect(*names, both, only_first, only_second, neither, estimate)
