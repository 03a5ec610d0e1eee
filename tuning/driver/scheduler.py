"""Pareto ASHA, a scheduler for Ray Tune: early stopping with one or more objectives."""

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tuning.driver.protocol import Assignment, TrialReport
from tuning.driver.rung import Rung, Vector
from tuning.pareto import Direction, FloatArray, contributions, crowding
from tuning.space import Space
from tuning.space.settings import TieBreak


class ParetoASHA(FIFOScheduler):
    """Asynchronous successive halving (Li et al., arXiv 1810.05934) on the trade-off between objectives.

    A trial that reaches a rung is compared with those that reached it before. It is stopped early if it is
    below the cutoff, which lets one in ``reduction_factor`` continue. Trials rank by their front (0 is the
    best), then by ``tie_break`` within the front; equal objectives have equal rank. With one
    objective the decisions are exactly those of Ray's ``AsyncHyperBandScheduler``.

    Infeasible results, and results with a missing or non-finite objective, are ignored. The baseline (the
    paper's settings, which a search must beat) competes with the other trials but is never stopped. The state
    consists of plain values, which can be pickled; a resumed search rebuilds it with :meth:`replay`.

    Args:
        objectives: The optimised metrics, each with its direction.
        max_epochs: Epochs of a full training.
        grace_period: Epochs before the first rung.
        reduction_factor: One in this many trials at a rung continues; the next rung is at this multiple of
            its epochs.
        brackets: Number of sets of rungs, each of which begins one rung later; every trial is assigned to one
            at random.
        tie_break: Rank within a front by the contribution to its hypervolume, or by the crowding distance.
        seed: Seed for the assignment to brackets.

    Raises:
        ValueError: If there is no objective, or a number is out of range.
    """

    def __init__(
        self,
        *,
        objectives: Mapping[str, Direction],
        max_epochs: int,
        grace_period: int = 1,
        reduction_factor: float = 4,
        brackets: int = 1,
        tie_break: TieBreak = "hypervolume",
        seed: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not objectives:
            raise ValueError("no objective to rank trials by")
        if not 1 <= grace_period <= max_epochs:
            raise ValueError(f"grace_period {grace_period}: should be from 1 to max_epochs, {max_epochs}")
        if reduction_factor <= 1:
            raise ValueError(f"reduction_factor {reduction_factor}: should be above 1")
        if brackets < 1:
            raise ValueError(f"brackets {brackets}: should be at least 1")
        self._signs = {name: 1.0 if of == "maximize" else -1.0 for name, of in objectives.items()}
        self._max_epochs = max_epochs
        self._cut = (1 - 1 / reduction_factor) * 100 / 100  # rounded as Ray's percentile is
        merit = {"hypervolume": _share, "crowding": _spacing}[tie_break]
        self._seed = seed
        # Ray's own expressions, whose rounding decides how many rungs there are. The last rung is first.
        steps = np.log(max_epochs / grace_period) / np.log(reduction_factor)
        self._brackets = [
            {
                grace_period * reduction_factor ** (k + s): Rung(len(objectives), merit)
                for k in reversed(range(int(steps - s + 1)))
            }
            for s in range(brackets)
        ]

    @property
    def rungs(self) -> list[dict[float, int]]:
        """The number of trials at each rung, by epoch, for each bracket; the last rung comes first."""
        return [{epoch: len(rung) for epoch, rung in bracket.items()} for bracket in self._brackets]

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Decide whether a trial continues.

        A trial that has trained its last epoch ends by itself. Ray's ASHA would stop it there, before it
        could keep its pictures and its encoder.
        """
        report = TrialReport.from_dict(result)
        vector = self._vector(report)
        if report.epoch is None or vector is None or report.epoch >= self._max_epochs:
            return TrialScheduler.CONTINUE
        assignment = Assignment.from_dict(trial.config)
        rung = self._next_rung(assignment.number, report.epoch)
        if rung is None:
            return TrialScheduler.CONTINUE
        rung.add(assignment.number, vector)
        stops = not assignment.baseline and rung.behind(vector, self._cut)
        return TrialScheduler.STOP if stops else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Record the last result of an ended trial at a rung that it skipped, as Ray's ASHA does."""
        report = TrialReport.from_dict(result)
        vector = self._vector(report)
        if report.epoch is not None and vector is not None:
            self._record(Assignment.from_dict(trial.config).number, report.epoch, vector)

    def replay(self, number: int, history: Mapping[int, Mapping[str, float]], *, ended: bool = True) -> None:
        """Record the reports of a trial of an earlier process, to restore the rungs.

        The order of trials does not matter.

        Args:
            number: The trial's number.
            history: Its feasible metrics by epoch, ascending; see :class:`tuning.ledger.trials.TrialRecord`.
            ended: Whether the trial ended with the last of them: it is complete or was stopped early, and
                neither failed nor became infeasible.
        """
        vectors = {epoch: self._vector(TrialReport(metrics=metrics)) for epoch, metrics in history.items()}
        results = [(epoch, vector) for epoch, vector in vectors.items() if vector is not None]
        for epoch, vector in results:
            if epoch < self._max_epochs:
                self._record(number, epoch, vector)
        if ended:
            for epoch, vector in results[-1:]:
                self._record(number, epoch, vector)

    def _vector(self, report: TrialReport) -> Vector | None:
        """Return the objectives of a report, signed so that more is better; ``None`` to ignore the report."""
        if report.failure is not None or report.infeasible is not None or report.metrics is None:
            return None
        vector = tuple(sign * float(report.metrics.get(name, math.nan)) for name, sign in self._signs.items())
        return vector if all(map(math.isfinite, vector)) else None

    def _record(self, number: int, epoch: int, vector: Vector) -> None:
        rung = self._next_rung(number, epoch)
        if rung is not None:
            rung.add(number, vector)

    def _next_rung(self, number: int, epoch: int) -> Rung | None:
        """Return the last rung that a trial has reached and is not yet recorded at."""
        bracket = self._bracket(number)
        return next((rung for at, rung in bracket.items() if epoch >= at and number not in rung), None)

    def _bracket(self, number: int) -> dict[float, Rung]:
        """Return a trial's bracket, drawn with Ray's weights, exp(rungs); its number seeds the draw."""
        sizes = np.array([len(bracket) for bracket in self._brackets])
        weights = np.exp(sizes - sizes.max())
        generator = np.random.default_rng((self._seed, number))
        return self._brackets[generator.choice(len(sizes), p=weights / weights.sum())]


def scheduler_of(space: Space, epochs: int | None = None) -> ParetoASHA | None:
    """Return a space's scheduler of trainings of the base's, or other, epochs; ``None`` without any."""
    settings = space.search.scheduler
    if settings is None:
        return None
    return ParetoASHA(
        objectives=space.objectives,
        max_epochs=epochs or space.base.epochs,
        seed=space.search.seed,
        **settings.model_dump(),
    )


def _share(front: FloatArray) -> FloatArray:
    """Return each member's contribution `(n,)` to the hypervolume of a front `(n, m)`, all maximised.

    Objectives are scaled to 0..1 over the front, so that neither units nor dominated trials matter. The
    reference is -1/H in each objective, where an edge of an evenly spread front would have H + 1 members;
    with two objectives these are all members. Evenly spread members of a straight front then contribute
    equally: its ends are neither favoured nor lost (Ishibuchi et al., "How to Specify a Reference Point in
    Hypervolume Calculation for Fair Performance Comparison", Evolutionary Computation 26(3), 2018).
    """
    n, m = np.unique(front, axis=0).shape
    steps = next(h for h in count(1) if math.comb(h + m - 1, m - 1) >= n)
    above = front - front.min(axis=0)
    spread = above.max(axis=0)
    scaled = above / np.where(spread > 0, spread, 1.0)
    return contributions(scaled, np.full(m, -1 / steps), ["maximize"] * m)


def _spacing(front: FloatArray) -> FloatArray:
    """Return the crowding distances `(n,)` of a front's `(n, m)` members."""
    return crowding(front, ["maximize"] * front.shape[1])
