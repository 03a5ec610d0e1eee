"""Names and digits of a trial's metrics in MLflow, whose UI sorts them by name and shows every digit."""

from collections.abc import Collection, Mapping

from tuning.ledger.trials import EpochRecord

FORM = "metrics"
"""The tag of a search's run that names the form of its metrics."""
CURRENT = "2"
"""The form of the metrics. Searches from before the first release have another one, without the tag."""
SUMMARIES = ("invariance", "informativeness", "image_informativeness")
"""Metrics without a prefix, besides a search's objectives: they stand before all others in the UI."""
EVERY_EPOCH = "train/images_per_second"
"""A metric that every epoch has. Those of an epoch are written together or not at all, so it tells of all."""
DIGITS = 4
"""Significant digits; the ledger and the artifacts have all."""


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Return metrics with MLflow's digits."""
    return {name: float(f"{value:.{DIGITS}g}") for name, value in values.items()}


def epoch_metrics(record: EpochRecord, objectives: Collection[str]) -> dict[str, float]:
    """Return the metrics of an epoch by their names in MLflow.

    Objectives and :data:`SUMMARIES` keep their names; other metrics of the codes begin with ``probe/``, those
    of the training with ``train/``.
    """
    first = [name for name in dict.fromkeys((*objectives, *SUMMARIES)) if name in record.metrics]
    # The page of a run lists metrics in the order in which they were written.
    named = {name: record.metrics[name] for name in first}
    named |= {f"probe/{name}": value for name, value in record.metrics.items() if name not in first}
    named |= {f"train/{name.removeprefix('train/')}": value for name, value in record.training.items()}
    return rounded(named)
