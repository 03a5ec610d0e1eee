"""Settings of a search: budgets, sampler, early stopping, first trials, and resources of a trial."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dcodr.config.parts import Sampler
from dcodr.seeds import MAX_SEED
from dcodr.strict_yaml import StrictModel
from tuning.space.objectives import Objective

TieBreak = Literal["hypervolume", "crowding"]
Paths = Annotated[tuple[str, ...], Field(strict=False)]


class Stall(StrictModel):
    """The end of a search that makes no progress."""

    trials: int = Field(default=20, ge=1)
    """Number of trials in a row without enough growth."""
    growth: float = Field(default=0.005, ge=0)
    """Sufficient growth of the front's hypervolume over these trials, as a share of the hypervolume."""


class SchedulerSettings(StrictModel):
    """Pareto ASHA, which stops trials early; see :class:`tuning.driver.scheduler.ParetoASHA`."""

    grace_period: int = Field(default=1, ge=1)
    """Epochs before a trial may be stopped: the first rung."""
    reduction_factor: float = Field(default=2, gt=1)
    """One in this many trials at a rung continues; the next rung has this many times its epochs."""
    brackets: int = Field(default=1, ge=1)
    """Number of brackets that trials are spread over; each is a set of rungs that begins one rung later."""
    tie_break: TieBreak = "hypervolume"
    """Rank of trials that do not dominate each other: by hypervolume or by crowding distance."""


class WarmStart(StrictModel):
    """The first trials. Paths are relative to the space file."""

    paper: bool = True
    """The paper's settings, as trial 0: the baseline."""
    paper_with: dict[str, Any] = Field(default={})
    """Values that replace the paper's in the baseline, by the dotted key of a searched parameter, e.g. a
    learning rate that suits a smaller encoder."""
    configs: Paths = ()
    """Config files, e.g. exported by another search."""
    searches: Paths = ()
    """Folders of earlier searches, e.g. on another dataset; the trials of their fronts are tried."""
    ranking: str | None = None
    """A CSV file with columns ``augmentation``, ``f_norm`` and ``f_unnorm`` (supplement, section 1.1). The
    sets of the 1, 2, 3... augmentations to which an autoencoder is most invariant are tried, with random
    numbers."""


class Confirm(StrictModel):
    """Retraining of the best candidates with other seeds, after the search."""

    top: int = Field(default=5, ge=1)
    """Number of candidates besides the paper's settings: the best trade-off, then others of the front."""
    seeds: int = Field(default=3, ge=2)
    """Number of trainings of each candidate."""


class SearchSettings(StrictModel):
    """Settings of the search."""

    trials: int = Field(default=24, ge=1)
    """Number of trials, the first ones included; neither reused results nor confirmations count."""
    time_budget: float | None = Field(default=None, gt=0)
    """Seconds after which all running trials but the paper's settings are stopped."""
    epoch_budget: int | None = Field(default=None, ge=1)
    """Epochs that all trials together may train."""
    target_hypervolume: float | None = Field(default=None, gt=0)
    """Hypervolume of the front at which no more trials begin."""
    stall: Stall | None = None
    """The end of a search without progress; ``null`` never ends it for that."""
    sampler: Sampler = "gp"
    """A Gaussian process (:class:`tuning.sampling.gp_sampler.GPSampler`); Optuna's multivariate TPE or
    NSGA-II; random draws; or ``package.module:Class``, a sampler of Optuna's kind of your own."""
    aim: Literal["front", "baseline"] = "front"
    """``front`` widens the whole Pareto front; ``baseline`` looks for settings that are better than the
    paper's in every objective: the sampler ``gp`` proposes such trials, and the best trade-off is one of
    them, if there are any."""
    startup_trials: int | None = Field(default=None, ge=2)
    """Random trials before the sampler's own proposals begin; for NSGA-II its population. ``null`` is half of
    the trials, at most 24."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Seed of the draws; the trainings have their own in ``base``."""
    scheduler: SchedulerSettings | None = SchedulerSettings()
    """Early stopping; ``null`` trains every trial to its last epoch, as does a space that does not name a
    scheduler and has no evaluation before the last epoch."""
    informativeness_floor: float | None = Field(default=None, gt=0, lt=1)
    """A trial with less informativeness at an evaluation, from the grace period on, is infeasible."""
    preference: dict[Objective, Annotated[float, Field(gt=0)]] = Field(default={})
    """Weights of the objectives in the choice of the best trade-off, by name; 1 for the others. The weights
    are exponents of the gains, see :func:`tuning.pareto.best_tradeoff`."""
    warm_start: WarmStart = WarmStart()
    confirm: Confirm | None = None
    """Confirmation of the front with other seeds; ``null`` for none."""

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
"""Settings that may differ when a search resumes: the budgets and the choice of the best trade-off."""


class Resources(StrictModel):
    """Resources of one trial."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and torch threads, of a trial."""
    gpus_per_trial: float = Field(default=0, ge=0, le=1)
    """Share of a GPU that a trial gets; a training uses one GPU at most."""
    gpu_type: str | None = Field(default=None, min_length=1)
    """Type of GPU, on a cluster with several types, by Ray's name: ``A100``, ``H100``, ``L4``, ``T4``...
    (``python -c "from ray.util import accelerators as a; print(vars(a))"``); ``null`` is any."""
    on_oom: Literal["fail", "retry"] = "fail"
    """Reaction to a trial whose share of a GPU has too little memory. ``fail`` ends the trial; ``retry``
    resumes it with twice the share, so that half as many fit on a GPU, up to a whole GPU."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Most trials at a time; ``null`` is as many as fit."""

    @model_validator(mode="after")
    def _check(self) -> "Resources":
        if self.gpu_type is not None and not self.gpus_per_trial:
            raise ValueError(f"gpu_type: {self.gpu_type} is asked for, but gpus_per_trial is 0")
        return self

    def concurrent(self, cpus: float, gpus: float) -> int:
        """Return how many trials run at a time on these CPUs and GPUs."""
        fit, share = int(cpus // self.cpus_per_trial), self.gpus_per_trial
        # A share must not be split over GPUs: each GPU has room for a whole number of shares.
        if share:
            fit = min(fit, int(gpus) * int(1 / share))
        return min(fit, self.max_concurrent or fit)
