"""The samplers over a space; every proposed subset is allowed."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from dcodr import plugins
from dcodr.errors import UserError
from tuning.ledger.encoding import booleans, chosen, flat, is_whole, needed
from tuning.sampling.gp_sampler import GPSampler
from tuning.sampling.news import News
from tuning.sampling.points import Points, on_grid
from tuning.space import Space
from tuning.space.params import SubsetParam


class SpaceSampler(BaseSampler):
    """Draws whole trials of a space, first at random, then by the sampler that the space file names.

    Optuna's samplers draw every boolean independently and do not know the rules of subsets: a subset that
    breaks them is replaced by the nearest allowed one. A proposal that was tried before is replaced by a
    random one. In both cases Optuna records the values that are trained.

    Args:
        space: The search space.
        seed: Seed of all draws. Re-opening a study must not repeat the draws: derive the seed from the number
            of existing trials.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._name = space.search.sampler
        self._params = space.params
        self._points = Points(space.params)
        everything = flat(space.params)
        self._varied = {name: of for name, of in everything.items() if not of.single()}
        self._stepped = {
            name: (of.low, of.step)
            for name, of in everything.items()
            if isinstance(of, FloatDistribution) and of.step
        }
        self._rng = np.random.default_rng(seed)
        self._inner = _sampler(space, seed, self._rng)
        self._news = News()
        self._taken: set[frozenset[tuple[str, Any]]] = set()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all parameters with more than one value: none is drawn independently."""
        return dict(self._varied)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a trial's parameters, also those that its method or its members do not use."""
        # The random draw fills every parameter that the sampler does not propose.
        drawn = self._points.draw(self._rng)
        known = self._inner.infer_relative_search_space(study, trial)
        proposed = drawn | self._inner.sample_relative(study, trial, known)
        for key, param in self._params.items():
            if isinstance(param, SubsetParam):
                allowed = param.repair(chosen(key, param, proposed), self._rng)
                proposed |= booleans(key, param, allowed)
        for name, (low, step) in self._stepped.items():
            proposed[name] = on_grid(proposed[name], low, step)
        taken = drawn if self._tried(study, trial, proposed) else proposed
        return {name: taken[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Raise an error: Optuna calls this only if a sampler from outside proposed an impossible value."""
        raise UserError(f"search.sampler: {self._name} proposed an impossible value of {param_name}")

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler prepare."""
        self._inner.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Let the sampler learn how a trial ended."""
        self._inner.after_trial(study, trial, state, values)

    def _tried(self, study: Study, trial: FrozenTrial, drawn: Mapping[str, Any]) -> bool:
        for other in self._news.of(study.get_trials(deepcopy=False)):
            if other.number != trial.number and is_whole(self._params, other.params):
                self._taken.add(self._used(other.params))
        return self._used(drawn) in self._taken

    def _used(self, drawn: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
        """Return the drawn parameters that the trial uses."""
        used = needed(self._params, drawn)
        return frozenset((name, value) for name, value in drawn.items() if name in used)


def _sampler(space: Space, seed: int, rng: np.random.Generator) -> BaseSampler:
    startup = space.search.startup
    if seed >= 2**32:  # Optuna's samplers take 32 bits only
        seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match space.search.sampler:
            case "gp":
                return GPSampler(space, rng)
            case "tpe":
                return TPESampler(n_startup_trials=startup, multivariate=True, group=True, seed=seed)
            case "nsga2":
                return NSGAIISampler(population_size=startup, seed=seed)
            case "random":
                return RandomSampler(seed)
            case name:
                return load_sampler(name, seed)


def load_sampler(name: str, seed: int) -> BaseSampler:
    """Build a sampler from outside, a subclass of ``optuna.samplers.BaseSampler``, as ``Class(seed=seed)``.

    Args:
        name: ``package.module:Class``.
        seed: Seed of its draws, below 2**32.

    Raises:
        UserError: If its package is not allowed, or the name is not that of such a class.
    """
    found = plugins.load(name, "search.sampler")
    if not (isinstance(found, type) and issubclass(found, BaseSampler)):
        raise UserError(f"search.sampler: {name} should be a subclass of optuna.samplers.BaseSampler")
    build = cast(Callable[..., BaseSampler], found)
    try:
        return build(seed=seed)
    except Exception as error:  # a sampler of another author can raise anything
        raise UserError(f"search.sampler: {name} cannot be built: {plugins.told(error)}") from error
