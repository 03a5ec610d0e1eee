"""A snapshot of a search's results: trials, front, confirmations, best trade-off."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.errors import UserError
from dcodr.seeds import MAX_SEED
from dcodr.words import counted
from tuning.ledger.trials import Outcome, TrialRecord
from tuning.pareto import (
    Direction,
    FloatArray,
    GrowingFront,
    best_tradeoff,
    contributions,
    fronts,
    hypervolume,
    non_dominated,
)
from tuning.results.confirmation import Confirmed, confirmed_trials
from tuning.space import Space

CONFIGS = "configs"
"""Folder of the front's exported configs, in the search's folder."""
ANALYSIS = "analysis"
"""Folder of an analysis's files, in the search's folder and among the artifacts of its MLflow run."""
REPORT = "report.html"
"""Name of the report, in the search's folder."""
TRIALS_PICTURE = "trials.png"
"""Name of the picture of all complete trials, in the folder of the analysis."""
BEFORE_AFTER = "before_after.png"
"""Name of the picture of neighbours under the paper's settings and the best trade-off, in the same folder."""


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a search at one moment; what is derived from them is computed once, on first use.

    Attributes:
        folder: The search's folder; its name is the search's name.
        space: The search space.
        facts: Facts of the whole search in its ledger.
        records: All trials in the ledger, by number, confirmations included.
        driven: Whether a process worked on the search.
    """

    folder: Path
    space: Space
    facts: Mapping[str, Any]
    records: Sequence[TrialRecord]
    driven: bool

    def __str__(self) -> str:
        best = "no front yet"
        if self.front:
            reached = ", ".join(
                f"{name} {value:.3f}" for name, value in self.objectives(self.best_tradeoff).items()
            )
            best = f"best trade-off {self.best_tradeoff.number:03d} ({reached})"
        trials = f"{counted(len(self.trials), 'trial')}, {len(self.complete)} complete"
        return f"{self.name!r} of {self.space.base.dataset}: {trials}, {best}"

    def __repr__(self) -> str:
        return f"<Results {self}>"

    @property
    def name(self) -> str:
        """The search's name."""
        return self.folder.name

    @cached_property
    def trials(self) -> list[TrialRecord]:
        """The trials of the search that were begun, by number, without confirmations."""
        return [trial for trial in self.records if trial.status != "interrupted" and trial.confirms is None]

    @property
    def begun(self) -> int:
        """The number of trials that count as begun: neither confirmations nor repeats of earlier trials."""
        return sum(trial.status != "reused" for trial in self.trials)

    @cached_property
    def complete(self) -> list[TrialRecord]:
        """The trials of full budget, by number."""
        return [trial for trial in self.trials if trial.status == "complete"]

    @cached_property
    def ended(self) -> list[tuple[TrialRecord, Outcome]]:
        """All trials that were trained and have ended, confirmations included, with their outcomes."""
        return [
            (trial, trial.status)
            for trial in self.records
            if trial.status != "running" and trial.status != "interrupted" and trial.status != "reused"
        ]

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of trials of each status; trials without a process are ``cut off``."""
        running = "running" if self.driven else "cut off"
        return Counter(running if trial.status == "running" else trial.status for trial in self.trials)

    @cached_property
    def growth(self) -> list[tuple[TrialRecord, float]]:
        """The trials that have ended, in the order of their ends, with the front's hypervolume after each.

        Confirmations take no part.
        """
        ended = [trial for trial, _ in self.ended if trial.confirms is None]
        front, history = GrowingFront(self.space.reference, self._directions), []
        for trial in sorted(ended, key=lambda trial: trial.end):
            if trial.status == "complete":
                front.add(self._own(trial))
            history.append((trial, front.hypervolume))
        return history

    @property
    def hypervolume(self) -> float:
        """The hypervolume of the front."""
        if not self.front:
            return 0.0
        return hypervolume(self.values(self.front), self.space.reference, self._directions)

    @property
    def epochs(self) -> int:
        """The number of epochs that the ended trials have trained, without confirmations."""
        return sum(trial.epoch for trial, _ in self.growth)

    @cached_property
    def front(self) -> list[TrialRecord]:
        """The non-dominated trials, best in the first objective first.

        They are chosen among the trials of full budget by their metrics. Once all confirmations have ended,
        they are chosen among the confirmed trials by the means of the confirmations.
        """
        if not self.complete:
            return []
        chosen = non_dominated(self.values(self._competing), self._directions)
        front = [trial for trial, keep in zip(self._competing, chosen, strict=True) if keep]
        return self.ranked(front, next(iter(self.space.objectives)))

    @cached_property
    def ranks(self) -> dict[int, int]:
        """The non-domination rank of every competing trial, by number: 1 is the front, 2 the next..."""
        if not self.complete:
            return {}
        ranks = fronts(self.values(self._competing), self._directions)
        return {trial.number: int(rank) + 1 for trial, rank in zip(self._competing, ranks, strict=True)}

    @cached_property
    def groups(self) -> dict[str, list[TrialRecord]]:
        """The complete trials in three groups: the front, the others, and those that are not confirmed."""
        front, competing = {t.number for t in self.front}, {t.number for t in self._competing}
        rest = [trial for trial in self.complete if trial.number not in front]
        return {
            "front": self.front,
            "other trials": [trial for trial in rest if trial.number in competing],
            "not confirmed": [trial for trial in rest if trial.number not in competing],
        }

    @cached_property
    def group_of(self) -> dict[int, str]:
        """The group of every complete trial, by number."""
        return {trial.number: name for name, trials in self.groups.items() for trial in trials}

    @cached_property
    def best_tradeoff(self) -> TrialRecord:
        """The front's best trade-off; see :func:`tuning.pareto.best_tradeoff`.

        With ``search.aim: baseline``, gains count from the paper's settings if a member of the front is
        better than these in every objective.

        Raises:
            UserError: If no trial is complete.
        """
        front, baseline = self.require_front(), self.baseline
        level = None if baseline is None else self.values([baseline])[0]
        return front[self._best_tradeoff(self.values(front), level)]

    @cached_property
    def runner_up(self) -> TrialRecord | None:
        """The best trade-off besides the paper's settings, by the same rule; ``None`` without any other."""
        rivals = [trial for trial in self._competing if not trial.paper]
        if not rivals:
            return None
        values = self.values(rivals)
        leading = np.flatnonzero(non_dominated(values, self._directions))
        best: TrialRecord = rivals[leading[self._best_tradeoff(values[leading], None)]]
        return best

    @cached_property
    def paper(self) -> TrialRecord | None:
        """The trial with the paper's settings, if it has been begun."""
        return next((trial for trial in self.trials if trial.paper), None)

    @property
    def baseline(self) -> TrialRecord | None:
        """The trial with the paper's settings, if it is complete."""
        return self.paper if self.paper and self.paper.status == "complete" else None

    @cached_property
    def compared(self) -> list[tuple[TrialRecord, bool]]:
        """The front, then the paper's settings if dominated; each with whether it is on the front."""
        front, paper = [(trial, True) for trial in self.front], self.paper
        dominated = paper in self._competing and paper not in self.front
        return [*front, (paper, False)] if paper and front and dominated else front

    @cached_property
    def confirmed(self) -> list[Confirmed]:
        """The trials with at least two complete confirmations, by number."""
        runs = self._confirmations
        trained = [(trial, runs[trial.number]) for trial in self.trials if trial.number in runs]
        return confirmed_trials(trained, self.space.objectives)

    @cached_property
    def unconfirmed(self) -> list[tuple[int, int]]:
        """The trials and seeds that ``search.confirm`` still asks for; none once the search has ended."""
        confirm, first = self.space.search.confirm, self.space.base.seed + 1
        if confirm is None or self.facts.get("ended") is not None:
            return []
        done = {(run.confirms, run.seed) for run, _ in self.ended}
        wanted = [
            (trial.number, seed)
            for trial in self.candidates(confirm.top)
            for seed in (i % (MAX_SEED + 1) for i in range(first, first + confirm.seeds))
        ]
        return [one for one in wanted if one not in done]

    @cached_property
    def without_result(self) -> list[TrialRecord]:
        """The infeasible and failed trials, then such confirmations, each by number."""
        bad = [trial for trial in self.records if trial.reason is not None]
        return sorted(bad, key=lambda trial: (trial.confirms is not None, trial.number))

    def staircase(self) -> FloatArray:
        """Return the corners ``(n, 2)`` of the front of two objectives, in ascending order of the first."""
        corners = self.values(self.front)
        return corners[corners[:, 0].argsort(kind="stable")]

    def candidates(self, top: int) -> list[TrialRecord]:
        """Return the ``top`` trials to confirm, by the search's own metrics, then the paper's settings.

        The best trade-off comes first, as it is the answer that the search ends with. The others come by
        front. Within a front, those that are better than the paper's settings in every objective come first;
        then trials come by their contribution to the hypervolume.
        """
        values = np.array([self._own(trial) for trial in self.complete])
        rivals = [i for i, trial in enumerate(self.complete) if not trial.paper]
        baseline = [trial for trial in self.complete if trial.paper]
        if not rivals:
            return baseline
        level = np.array(self._own(self.baseline)) if self.baseline else None
        front = fronts(values, self._directions)
        added = contributions(values, self.space.reference, self._directions)
        worse = np.zeros(len(values), dtype=bool) if level is None else ~self._ahead(values, level)
        leading = [i for i in rivals if front[i] == front[rivals].min()]
        first = leading[self._best_tradeoff(values[leading], level)]
        order = sorted(rivals, key=lambda i: (i != first, front[i], worse[i], -added[i]))
        return [self.complete[i] for i in order[:top]] + baseline

    def trainings(self, trial: TrialRecord) -> list[TrialRecord]:
        """Return the trainings that measure a trial's settings: its confirmations, or else itself."""
        return self._confirmations.get(trial.number, [trial])

    def values(self, trials: Sequence[TrialRecord]) -> FloatArray:
        """Return the ``(n, m)`` objectives of trials: means of confirmations, or else their own."""
        return np.array([np.mean([self._own(run) for run in self.trainings(t)], axis=0) for t in trials])

    def objectives(self, trial: TrialRecord) -> dict[str, float]:
        """Return a trial's objectives: the means of its confirmations, or else its own."""
        return dict(zip(self.space.objectives, self.values([trial])[0].tolist(), strict=True))

    def ranked(self, trials: Sequence[TrialRecord], objective: str) -> list[TrialRecord]:
        """Return trials by an objective, the best first.

        Raises:
            UserError: If there is no such objective.
        """
        objectives = self.space.objectives
        if objective not in objectives:
            raise UserError(f"{objective!r} is not an objective; there are: {', '.join(objectives)}")
        sign = -1 if objectives[objective] == "maximize" else 1
        return sorted(trials, key=lambda trial: sign * self.objectives(trial)[objective])

    def best(self, objective: str) -> TrialRecord:
        """Return the front's best trial in one objective.

        Raises:
            UserError: If there is no such objective, or no trial is complete.
        """
        return self.ranked(self.require_front(), objective)[0]

    def _ahead(self, values: FloatArray, level: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which rows of objectives ``(n, m)`` are better than a level ``(m,)`` in every objective."""
        signs = np.array([1 if direction == "maximize" else -1 for direction in self._directions])
        ahead: npt.NDArray[np.bool_] = ((values - level) * signs > 0).all(axis=1)
        return ahead

    def _best_tradeoff(self, values: FloatArray, baseline: FloatArray | None) -> int:
        """Return the row of a front's objectives ``(n, m)`` with the best trade-off."""
        reference: npt.ArrayLike = self.space.reference
        aim = self.space.search.aim
        if aim == "baseline" and baseline is not None and self._ahead(values, baseline).any():
            reference = baseline
        return best_tradeoff(values, reference, self._directions, self.space.preference)

    def require_front(self) -> list[TrialRecord]:
        """Return the front.

        Raises:
            UserError: If no trial is complete.
        """
        if not self.front:
            raise UserError(f"search {self.name!r} has no complete trial yet, so there is no front")
        return self.front

    def config_file(self, trial: TrialRecord) -> str:
        """Return the file name of a trial's exported config."""
        return f"{self.name}-{trial.number:03d}.yaml"

    def _own(self, trial: TrialRecord) -> list[float]:
        """Return the objectives that a trial itself has reached."""
        return [trial.metrics[name] for name in self.space.objectives]

    @cached_property
    def _competing(self) -> list[TrialRecord]:
        """The trials among which the front is chosen."""
        return [trial for trial in self.complete if trial.number in self._confirmations] or self.complete

    @cached_property
    def _confirmations(self) -> dict[int, list[TrialRecord]]:
        """The complete confirmations of every trial with at least two of them; none before all have ended."""
        runs: dict[int, list[TrialRecord]] = {}
        for run, status in () if self.unconfirmed else self.ended:
            if run.confirms is not None and status == "complete":
                runs.setdefault(run.confirms, []).append(run)
        return {number: repeated for number, repeated in runs.items() if len(repeated) > 1}

    @property
    def _directions(self) -> list[Direction]:
        return list(self.space.objectives.values())
