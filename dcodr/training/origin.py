"""The origin of a trained encoder: its config, its data, and the metrics that were measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dcodr.config import Config
from dcodr.evaluation.metrics import MetricValues
from dcodr.evaluation.report import Report

Split = Literal["validation", "test"]
Judge = Literal["fast", "paper"]
"""The probe: the fast one of a search, or the paper's six-layer one."""


@dataclass(frozen=True)
class Measured:
    """The metrics of an encoder's codes on one split, by one judge.

    Attributes:
        split: The scored split.
        judge: The probe that was fitted to the codes.
        fingerprint: Fingerprint of the dataset of the split.
        metrics: The metrics.
        intervals: 95 % confidence interval of some of them.
        infeasible: The reason why the metrics must not be compared, see ``Report``.
    """

    split: Split
    judge: Judge
    fingerprint: str
    metrics: MetricValues
    intervals: Mapping[str, tuple[float, float]]
    infeasible: str | None = None

    @classmethod
    def of(cls, report: Report, split: Split, judge: Judge, fingerprint: str) -> "Measured":
        """Return the metrics of a report."""
        return cls(split, judge, fingerprint, report.metrics, report.intervals, report.infeasible)


@dataclass(frozen=True)
class Origin:
    """The training behind an encoder.

    Attributes:
        config: Its config.
        epochs: Number of completed epochs, if known.
        fingerprint: Fingerprint of the dataset, if known.
        measured: The metrics that were measured, at most one record for each split and judge.
    """

    config: Config
    epochs: int | None = None
    fingerprint: str | None = None
    measured: tuple[Measured, ...] = ()
