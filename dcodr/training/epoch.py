"""What a training tells after every epoch."""

from dataclasses import dataclass

from dcodr.evaluation.report import Report


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes:
        epoch: Completed epochs.
        losses: Means over the epoch's batches: ``loss`` and its parts.
        report: Validation figures, if this epoch was evaluated.
        images_per_second: Training throughput, evaluation not counted.
    """

    epoch: int
    losses: dict[str, float]
    report: Report | None
    images_per_second: float
