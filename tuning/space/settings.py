"""How a search goes about it: its budgets, sampler, early stopping, first trials, and what a trial gets."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dcodr.config.seeds import MAX_SEED
from dcodr.strict_yaml import StrictModel

TieBreak = Literal["hypervolume", "crowding"]
Paths = Annotated[tuple[str, ...], Field(strict=False)]


class Stall(StrictModel):
    """When a search counts as stalled."""

    trials: int = Field(default=20, ge=1)
    """Trials in a row that ended without enough growth."""
    growth: float = Field(default=0.005, ge=0)
    """Growth of the front's hypervolume, as a share of it, that is enough."""


class SchedulerSettings(StrictModel):
    """Pareto ASHA, which stops trials early; see :class:`tuning.driver.scheduler.ParetoASHA`."""

    grace_period: int = Field(default=1, ge=1)
    """Epochs before a trial may be stopped: the first rung."""
    reduction_factor: float = Field(default=2, gt=1)
    """Of so many trials at a rung one goes on; the next rung is so many times as far."""
    brackets: int = Field(default=1, ge=1)
    """Sets of rungs, each beginning one rung later, that trials are spread over."""
    tie_break: TieBreak = "hypervolume"
    """What ranks trials that do not dominate each other."""


class WarmStart(StrictModel):
    """The first trials. Paths are relative to the space file."""

    paper: bool = True
    """The paper's settings, as trial 0."""
    configs: Paths = ()
    """Config files, e.g. exported by another search."""
    searches: Paths = ()
    """Folders of earlier searches, e.g. on another dataset: the trials of their fronts."""
    ranking: str | None = None
    """A CSV file with columns ``augmentation``, ``f_norm`` and ``f_unnorm`` (supplement, section 1.1): the
    sets of the 1, 2, 3... augmentations that an autoencoder is most invariant to."""


class Confirm(StrictModel):
    """Retraining of the best candidates with other seeds, after the search."""

    top: int = Field(default=5, ge=1)
    """Candidates: the members of the front that contribute most to its hypervolume."""
    seeds: int = Field(default=3, ge=2)
    """Trainings of each."""


class SearchSettings(StrictModel):
    """How to search."""

    trials: int = Field(default=24, ge=1)
    """Number of trials, the first ones included; neither reused results nor confirmations count."""
    time_budget: float | None = Field(default=None, gt=0)
    """Seconds after which running trials are stopped, all but the paper's settings."""
    epoch_budget: int | None = Field(default=None, ge=1)
    """Epochs that all trials together may train."""
    target_hypervolume: float | None = Field(default=None, gt=0)
    """Hypervolume of the front at which no more trials begin."""
    stall: Stall | None = None
    """Whether, and when, to give up for want of progress."""
    sampler: Literal["gp", "tpe", "nsga2", "random"] = "gp"
    """A Gaussian process (:class:`tuning.sampling.gp_sampler.GPSampler`); Optuna's multivariate TPE or
    NSGA-II; random draws."""
    startup_trials: int | None = Field(default=None, ge=2)
    """Random trials before the sampler's own proposals begin; for NSGA-II its population. ``null`` is half of
    the trials, at most 24."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Seed of the draws; the trainings have their own in ``base``."""
    scheduler: SchedulerSettings | None = None
    """Early stopping; ``null`` trains every trial to its last epoch."""
    informativeness_floor: float | None = Field(default=None, gt=0, lt=1)
    """With less informativeness at an evaluation, from the grace period on, a trial is infeasible."""
    preference: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    """The weight of an objective in the choice of the best trade-off, by its name; 1 for one not named. The
    weights are exponents of the gains, see :func:`tuning.pareto.best_tradeoff`."""
    warm_start: WarmStart = WarmStart()
    confirm: Confirm | None = None
    """Whether, and how, to confirm the front."""

    @property
    def startup(self) -> int:
        """Random trials before the sampler's own proposals begin."""
        return min(24, max(2, self.trials // 2)) if self.startup_trials is None else self.startup_trials


CHANGEABLE = (
    "trials",
    "time_budget",
    "epoch_budget",
    "target_hypervolume",
    "stall",
    "confirm",
    "preference",
)
"""Settings that may differ when a search goes on: the budgets, and how the best trade-off is chosen."""


class Resources(StrictModel):
    """What one trial gets."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and torch threads, of a trial."""
    gpus_per_trial: float = Field(default=0, ge=0)
    """GPUs, or the share of one, of a trial."""
    gpu_type: str | None = Field(default=None, min_length=1)
    """Kind of GPU, on a cluster that has several, by Ray's name for it: ``A100``, ``H100``, ``L4``, ``T4``...
    (``python -c "from ray.util import accelerators as a; print(vars(a))"``); ``null`` is any."""
    on_oom: Literal["fail", "retry"] = "fail"
    """What becomes of a trial whose share of a GPU is too small: ``retry`` goes on with it on twice
    the share, so that half as many fit on a GPU, up to a whole one."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Most trials at a time; ``null`` is as many as fit."""

    @model_validator(mode="after")
    def _check(self) -> "Resources":
        if self.gpus_per_trial > 1 and self.gpus_per_trial != int(self.gpus_per_trial):
            raise ValueError(f"gpus_per_trial: {self.gpus_per_trial} is neither whole nor a share of one")
        if self.gpu_type is not None and not self.gpus_per_trial:
            raise ValueError(f"gpu_type: {self.gpu_type} is asked for, but gpus_per_trial is 0")
        return self

    def concurrent(self, cpus: float, gpus: float) -> int:
        """How many trials run at a time on so many CPUs and GPUs."""
        fit, share = int(cpus // self.cpus_per_trial), self.gpus_per_trial
        if share:
            fit = min(fit, int(gpus // share) if share >= 1 else int(gpus) * int(1 / share))
        return min(fit, self.max_concurrent or fit)
