"""Results of a training after every epoch."""

from dataclasses import dataclass

from dcodr.evaluation.report import Report


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch.

    Attributes:
        epoch: Number of completed epochs.
        losses: Means over the epoch's batches: ``loss`` and its parts.
        report: Validation metrics, if this epoch was evaluated.
        images_per_second: Training throughput, without evaluation.
    """

    epoch: int
    losses: dict[str, float]
    report: Report | None
    images_per_second: float
