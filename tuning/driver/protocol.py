"""The two records that cross between driver and worker: a trial's assignment, and its reports.

Ray Tune carries both as dictionaries, and adds keys of its own to a report. Every reader and writer of them
goes through these classes, so that a misspelt key cannot be read as absent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Metrics = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A trial, as the driver hands it to a worker.

    Attributes:
        number: The trial's number in the ledger.
        config: The config to train, as JSON.
        checkpoint: File to save to after every epoch.
        kept: Folder for the pictures and the encoder of a training that reaches its end.
        gpus: GPUs of the trial, or its share of one.
        floor: Least informativeness that is feasible; ``None`` for any.
        floor_from: First epoch to which the floor applies.
        baseline: True for the paper's settings, which are never stopped early.
    """

    number: int
    config: str
    checkpoint: str
    kept: str
    gpus: float
    floor: float | None
    floor_from: int
    baseline: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the assignment as Tune carries it: the ``config`` of a Tune trial."""
        return asdict(self)

    @classmethod
    def from_dict(cls, assignment: Mapping[str, Any]) -> "Assignment":
        """Read the ``config`` of a Tune trial.

        Raises:
            TypeError: If a field is missing or unknown.
        """
        return cls(**assignment)


@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """A report of a worker: an epoch, the reason why there are no more, or a warning beside either.

    Attributes:
        epoch: Completed epochs; ``None`` if the report is not of an epoch.
        training: Losses and throughput of the epoch.
        metrics: Validation metrics; ``None`` if the epoch was not evaluated.
        intervals: 95 % confidence intervals of these metrics.
        infeasible: Reason why the trial must not compete.
        failure: Reason why the training could not continue.
        out_of_memory: True if the failure is a share of a GPU that was too small.
        unsaved: Reason why there is no checkpoint of the epoch, or no kept encoder.
        streamed: Reason why the images do not lie on the GPU.
    """

    epoch: int | None = None
    training: Metrics | None = None
    metrics: Metrics | None = None
    intervals: Mapping[str, tuple[float, float]] | None = None
    infeasible: str | None = None
    failure: str | None = None
    out_of_memory: bool = False
    unsaved: str | None = None
    streamed: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report for ``tune.report``, without the fields that say nothing."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in values.items()
            if value not in (None, False)
        }

    @classmethod
    def from_dict(cls, result: Mapping[str, Any]) -> "TrialReport":
        """Read a result of Tune, nested or flattened to keys such as ``metrics/invariance``.

        Callbacks get results nested, schedulers get them flattened.
        """
        nested: dict[str, Any] = {}
        for key, value in result.items():
            name, inside, of = key.partition("/")
            if inside:
                nested.setdefault(name, {})[of] = value
            else:
                nested[name] = value
        return cls(**{one.name: nested[one.name] for one in fields(cls) if one.name in nested})
