"""The answer of a search: is its best trade-off better than the paper's settings, and how sure is that?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.pareto import FloatArray
from tuning.results.comparison import Comparison, compare
from tuning.results.results import Results

STANDARD_ERRORS = 2 * 1.96
"""Width of a 95 % interval in standard errors."""
ENDED: Mapping[str, str] = {
    "running": "is not complete",
    "pruned": "was stopped early",
    "infeasible": "is infeasible",
    "failed": "failed",
}
"""The state of a trial that is not complete, as the end of a sentence."""


@dataclass(frozen=True)
class Answer:
    """The best trade-off of a search against the paper's settings, trained with the same other seeds.

    If the paper's settings are the best trade-off themselves, it is the best of the others.

    Attributes:
        trial: Number of the trial.
        split: The scored images: ``test`` once all compared trainings are measured on them, until then
            ``validation``.
        objectives: Names of the objectives.
        comparison: Differences in the objectives, the trial minus the paper's settings.
    """

    trial: int
    split: Literal["test", "validation"]
    objectives: Sequence[str]
    comparison: Comparison

    def verdict(self, index: int) -> str:
        """Return ``better``, ``worse`` or ``within the noise`` for an objective, by its 95 % interval."""
        low, high = self.comparison.low[index], self.comparison.high[index]
        if low <= 0 <= high:
            return "within the noise"
        return "better" if self.comparison.better[index] > 0.5 else "worse"


def answer(results: Results) -> Answer | None:
    """Compare the best trade-off with the paper's settings, if two seeds or more confirmed both."""
    paper = results.baseline
    if paper is None or not results.front:
        return None
    trial = results.best_tradeoff if results.best_tradeoff != paper else results.runner_up
    if trial is None:
        return None
    pairs = _paired(results.trainings(trial), results.trainings(paper))
    if len(pairs) < 2:
        return None
    objectives = list(results.space.objectives)
    on_test = all(run.test.keys() >= set(objectives) for pair in pairs for run in pair)
    best, other = ([_values(pair[i], objectives, on_test) for pair in pairs] for i in (0, 1))
    runs = [run for pair in pairs for run in pair]
    errors = np.array([_image_error(runs, name, on_test) for name in objectives])
    comparison = compare(best, other, errors, list(results.space.objectives.values()))
    return Answer(trial.number, "test" if on_test else "validation", objectives, comparison)


def answer_text(results: Results) -> str:
    """Return the answer in sentences; also the reason if there is none."""
    if results.baseline is None:
        return _no_baseline(results)
    knee, question = results.best_tradeoff, f"Better than {results.space.baseline}?"
    found = answer(results)
    if knee == results.baseline:
        other = (
            "" if found is None else f" The best other one, trial {found.trial:03d}, is {_verdicts(found)}."
        )
        return f"{question} No: they are themselves the best trade-off that was found.{other}"
    lost = _lost(results, knee, results.baseline)
    if found is None:
        return f"{question} Not known{_why_not_known(results, knee, results.baseline)}{lost}"
    probability = found.comparison.better_in_all
    shown = f"{probability:.2f}" if 0.005 <= probability <= 0.995 else f"{probability:.3f}"
    return (
        f"{question} Trial {found.trial:03d}, the best trade-off, is {_verdicts(found)}. "
        f"It is better in every objective with a probability of {shown}.{lost}"
    )


def _verdicts(found: Answer) -> str:
    """Return the verdicts in words, with the number of seeds and the scored images."""
    verdicts: dict[str, list[str]] = {}
    for i, name in enumerate(found.objectives):
        verdicts.setdefault(found.verdict(i), []).append(name)
    parts = [f"{verdict} in {' and '.join(names)}" for verdict, names in verdicts.items()]
    return f"{', '.join(parts)} ({found.comparison.seeds} seeds each, {found.split} images)"


def answer_metrics(results: Results) -> Mapping[str, float]:
    """Return the answer as metrics: ``gain/OBJECTIVE`` with its limits, and the probabilities.

    There are none if the paper's settings are the best trade-off themselves.
    """
    found = answer(results)
    if found is None or found.trial != results.best_tradeoff.number:
        return {}
    comparison, metrics = found.comparison, {}
    for i, name in enumerate(found.objectives):
        metrics[f"gain/{name}"] = float(comparison.difference[i])
        metrics[f"gain_low/{name}"] = float(comparison.low[i])
        metrics[f"gain_high/{name}"] = float(comparison.high[i])
        metrics[f"gain_probability/{name}"] = float(comparison.better[i])
    return {**metrics, "gain_probability/all": comparison.better_in_all}


def _paired(
    one: Sequence[TrialRecord], other: Sequence[TrialRecord]
) -> list[tuple[TrialRecord, TrialRecord]]:
    """Return the trainings of both configs with equal seeds, without the search's own trials.

    The search's own training takes no part, as it was chosen for its metrics.
    """
    by_seed = {run.seed: run for run in other if run.confirms is not None}
    return [(run, by_seed[run.seed]) for run in one if run.confirms is not None and run.seed in by_seed]


def _values(run: TrialRecord, objectives: Sequence[str], on_test: bool) -> list[float]:
    metrics = run.test if on_test else run.metrics
    return [metrics[name] for name in objectives]


def _image_error(runs: Sequence[TrialRecord], name: str, on_test: bool) -> float:
    """Return the standard error of a difference that stems from the choice of scored images.

    Both configs are scored on the same images, so their errors partly cancel. They count as independent,
    which is on the safe side. A metric without intervals counts as free of this error.
    """
    limits = [(run.test_intervals if on_test else run.intervals).get(name) for run in runs]
    errors: FloatArray = np.array([(one[1] - one[0]) / STANDARD_ERRORS for one in limits if one is not None])
    return float(np.sqrt(2 * np.mean(errors**2))) if len(errors) else 0.0


def _why_not_known(results: Results, best: TrialRecord, paper: TrialRecord) -> str:
    """Return the end of a sentence: why there is no comparison of two complete trials."""
    if results.unconfirmed:
        left = counted(len(results.unconfirmed), "training")
        return f" yet: {left} with other seeds {'is' if len(results.unconfirmed) == 1 else 'are'} left."
    shared = len(_paired(results.trainings(best), results.trainings(paper)))
    reason = (
        f": trial {best.number:03d}, the best trade-off, and the paper's settings share "
        f"{('no', 'only one')[shared]} confirmation seed."
    )
    if results.space.search.confirm is None:
        reason += " Set search.confirm in the space to train both with several."
    return reason


def _lost(results: Results, best: TrialRecord, paper: TrialRecord) -> str:
    """Return sentences on confirmations of both trials without a result; empty if there are none."""
    lost = [run for run in results.without_result if run.confirms in (best.number, paper.number)]
    parts = [f"{run.in_words} {ENDED[run.status]}: {(run.reason or '').rstrip('.')}" for run in lost]
    if not lost:
        return ""
    text = f" Left out: {'; '.join(parts)}."
    if any(run.status == "infeasible" for run in lost):
        text += " Settings whose code can collapse are not as good as their other seeds suggest."
    return text


def _no_baseline(results: Results) -> str:
    """Return a sentence with the reason why the search cannot be compared with the paper's settings."""
    paper = results.paper
    if paper is None:
        return "No trial has the paper's settings, so there is no gain to report."
    how = ENDED.get(paper.status, paper.status)
    because = f": {paper.reason.rstrip('.')}" if paper.reason else ""
    return (
        f"There is no gain over the paper's settings to report, as their trial {paper.number:03d} {how} "
        f"after {paper.epoch} of {counted(results.space.config(paper.values).epochs, 'epoch')}{because}."
    )
