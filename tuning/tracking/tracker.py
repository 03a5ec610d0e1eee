"""MLflow's runs of a search: a parent, and one nested run for each trial, written by the driver alone.

Runs are made through `mlflow.MlflowClient`, never the fluent API, so that no run becomes active by accident
and every run ends with the right status. `tuning.tracking.mirror` computes their content.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dcodr.errors import UserError
from tuning.tracking.artifacts import lost
from tuning.tracking.metrics import CURRENT, EVERY_EPOCH, FORM
from tuning.tracking.store import connect, masked, quoted, reaching, unusable
from tuning.tracking.view import VIEW, view_page

if TYPE_CHECKING:
    from mlflow.entities import Run

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a nested run: the run above it."""
IDENTITY, FOLDER = "search_id", "folder"
"""Tags of a search's parent run: the one by which it is found again, and the folder of the search."""
_MAX_NAME, _MAX_PARAM, _MAX_TAG, _MAX_METRICS = 250, 6000, 8000, 1000
_NAME = re.compile(r"\w[\w\-. :]*(/\w[\w\-. :]*)*")


@dataclass(frozen=True)
class EpochMetrics:
    """Metrics of one epoch.

    Attributes:
        epoch: The epoch, which becomes MLflow's step.
        at: Time of the measurement, in seconds since 1970. MLflow stores a metric of the same step and time
            only once, so that metrics can be sent again if it is unknown whether they arrived.
        values: Value of each metric by name.
    """

    epoch: int
    at: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class TrialRun:
    """The run of a trial, as MLflow has it.

    ``metrics`` has the last value of every metric; ``epochs`` the epochs with metrics, each as often as it
    was written.
    """

    run_id: str
    number: int
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    epochs: tuple[int, ...]


class Tracker:
    """Writes one search, its trials and their epochs to an MLflow tracking store.

    Names of params, tags and metrics consist of alphanumerics, `_`, `-`, `.`, space and `:`, with `/` between
    parts; every method refuses other names with a ValueError before it writes anything. Values longer than
    MLflow's limits (6000 characters for a param, 8000 for a tag) are cut, with a note at their end.

    Args:
        uri: Tracking URI, as for `tuning.tracking.store.connect`.

    Attributes:
        uri: The tracking URI.
        client: The client of the store; tests put failing ones in its place.
        search_id: The search's run.

    Raises:
        UserError: If the store cannot be reached, opened or written, within seconds; no password is repeated.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.search_id = ""
        # The client connects at its first request, so one is made here: a mistake shows at once.
        with reaching(uri):
            self.client = connect(uri)
            self.client.search_experiments(max_results=1)
        self._experiment_id = ""

    def start_search(
        self,
        identity: str,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        *,
        experiment: str,
        artifact_root: str | None,
    ) -> str:
        """Open the parent run, the existing one or else a new one; return its id.

        A RUNNING run with the same tags and without trials was left by a process that was killed before its
        search began; the run becomes KILLED.

        Args:
            identity: Unique id of the search, kept as tag `search_id`.
            name: The search's name.
            tags: Tags by which the run is found.
            params: Settings of the whole search.
            experiment: Experiment of the search; created if missing.
            artifact_root: URI below which a new experiment keeps its artifacts; None leaves it to the server.

        Raises:
            UserError: If the experiment was deleted or cannot be made.
        """
        with reaching(self.uri):
            self._experiment_id = self._experiment(experiment, artifact_root)
        if parents := self.parents(identity):
            self.search_id = parents[0]
        else:
            for run_id in self._abandoned(tags):
                self.client.set_terminated(run_id, status="KILLED")
            self.search_id = self._create_run(name, {**tags, IDENTITY: identity, FORM: CURRENT})
        # MLflow refuses to change a param, so only missing ones are written.
        known = self.client.get_run(self.search_id).data
        self._write(self.search_id, {}, {key: params[key] for key in params.keys() - known.params.keys()})
        return self.search_id

    def _experiment(self, name: str, artifact_root: str | None) -> str:
        """Return the experiment of a name; one whose artifacts are lost is renamed and replaced."""
        found = self.client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise UserError(
                f"the MLflow experiment {name!r} was deleted: choose another name, or bring it back with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
            )
        moved = found and found.artifact_location != artifact_root and lost(self.uri, found.artifact_location)
        if moved:
            self.client.rename_experiment(found.experiment_id, f"{name} {found.experiment_id}, moved")
        if found is None or moved:
            return str(self.client.create_experiment(name, artifact_location=artifact_root))
        return str(found.experiment_id)

    def parents(self, identity: str) -> list[str]:
        """Return the parent runs of a search, the oldest first; after a fault there may be several."""
        runs = self._runs({IDENTITY: identity})
        return [str(run.info.run_id) for run in sorted(runs, key=lambda run: run.info.start_time)]

    def _abandoned(self, tags: Mapping[str, str]) -> list[str]:
        """Find the parent runs of searches that never began."""
        runs = [str(run.info.run_id) for run in self._runs(tags, "attributes.status = 'RUNNING'")]
        return [run_id for run_id in runs if not self._runs({PARENT: run_id}, most=1)]

    def open_search(self, run_id: str) -> str | None:
        """Continue with a parent run of an earlier process; return its status, or None if there is none.

        Raises:
            UserError: If the store cannot be reached, or the run is of an unreleased version.
        """
        try:
            run = self.client.get_run(run_id)
        except Exception as error:  # every database driver and server has its own exceptions
            if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise unusable(self.uri, error) from None
        if run.info.lifecycle_stage == "deleted":
            return None
        if run.data.tags.get(FORM) != CURRENT:
            raise UserError(
                f"{masked(self.uri)}: run {run_id} is of an unreleased version, whose metrics have other "
                "names; write the search to another store with 'python -m tuning doctor NAME --fix "
                "--tracking-uri ...'"
            )
        self.search_id, self._experiment_id = run_id, run.info.experiment_id
        return str(run.info.status)

    @property
    def artifacts(self) -> str:
        """The URI of the search's own artifacts."""
        return str(self.client.get_run(self.search_id).info.artifact_uri)

    def save_view(self, view: str) -> None:
        """Save a view of the search's trials for the UI, under the id of the search's run."""
        self.client.set_experiment_tag(self._experiment_id, f"{VIEW}{self.search_id}", view)

    @property
    def page(self) -> str:
        """The address of the search's view in the UI; on this machine if the store is a database."""
        server = masked(self.uri).rstrip("/") if self.uri.startswith("http") else "http://127.0.0.1:5000"
        return view_page(server, self._experiment_id, self.search_id)

    def keep(self, run_id: str, tags: Mapping[str, str], artifacts: Mapping[str, str]) -> None:
        """Add tags and artifacts (text by file name) to a run."""
        for name, text in artifacts.items():
            self.client.log_text(run_id, text, name)
        if tags:
            self._write(run_id, tags, {})

    def add_files(self, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Add files to a run's artifacts, in place of those of the same names."""
        for file in files:
            self.client.log_artifact(run_id, str(file), folder)

    def start_trial(
        self, number: int, name: str, params: Mapping[str, object], tags: Mapping[str, str], config_yaml: str
    ) -> TrialRun:
        """Open the run of one trial, nested in the search's.

        Args:
            number: The trial's number in the search, kept as tag `trial`.
            name: Name in the UI.
            params: The trial's settings, flat and readable, at least one.
            tags: Other tags by which the run is found.
            config_yaml: The trial's config, kept as artifact `config.yaml`.

        Raises:
            RuntimeError: If no search was started or opened.
        """
        if not self.search_id:
            raise RuntimeError("start_search or open_search comes before start_trial")
        _check_names(params)
        run_id = self._create_run(name, {PARENT: self.search_id, "trial": str(number), **tags})
        return self.describe_trial(TrialRun(run_id, number, "RUNNING", {}, tags, {}, ()), params, config_yaml)

    def describe_trial(self, run: TrialRun, params: Mapping[str, object], config_yaml: str) -> TrialRun:
        """Add the params and config of a trial's run; a driver that died may have left them out."""
        self.client.log_text(run.run_id, config_yaml, "config.yaml")
        self._write(run.run_id, {}, params)
        return replace(run, params=_limited(params, _MAX_PARAM))

    def trial_runs(self, number: int | None = None) -> list[TrialRun]:
        """Return the runs of the search's trials, or of one trial, without their epochs."""
        tags = {PARENT: self.search_id} | ({} if number is None else {"trial": str(number)})
        return [
            TrialRun(
                run.info.run_id,
                int(run.data.tags["trial"]),
                run.info.status,
                run.data.params,
                run.data.tags,
                run.data.metrics,
                (),
            )
            for run in self._runs(tags)
            if run.data.tags.get("trial", "").isdecimal()  # users may nest runs of their own
        ]

    def epochs(self, run_id: str) -> tuple[int, ...]:
        """Return the epochs with metrics in a trial's run, in order, each as often as it was written."""
        history = self.client.get_metric_history(run_id, EVERY_EPOCH)
        return tuple(sorted(metric.step for metric in history))

    def log_epochs(self, run_id: str, epochs: Sequence[EpochMetrics]) -> None:
        """Write the metrics of epochs, in as few requests as MLflow's limit of 1000 metrics allows.

        An epoch has at most 1000.

        Raises:
            ValueError: If a value is not finite; nothing is written then.
        """
        from mlflow.entities import Metric

        for epoch in epochs:
            _check_names(epoch.values)
            bad = {name: value for name, value in epoch.values.items() if not math.isfinite(value)}
            if bad:
                raise ValueError(f"metrics of epoch {epoch.epoch} are not finite: {bad}")
        batch: list[Metric] = []
        for epoch in epochs:
            at = round(epoch.at * 1000)
            metrics = [Metric(name, float(value), at, epoch.epoch) for name, value in epoch.values.items()]
            # An epoch is never split over two requests, so that it arrives whole or not at all.
            if len(batch) + len(metrics) > _MAX_METRICS:
                self.client.log_batch(run_id, metrics=batch)
                batch = []
            batch += metrics
        if batch:
            self.client.log_batch(run_id, metrics=batch)

    def set_status(
        self, run_id: str, status: RunStatus, tags: Mapping[str, str], name: str | None = None
    ) -> None:
        """Set a run's status, tags about its end, and maybe another name; any status but RUNNING ends it."""
        # The status comes last: a run with a final status is complete, see `tuning.tracking.mirror.is_ended`.
        if tags:
            self._write(run_id, tags, {})
        if name is not None:
            self.client.update_run(run_id, name=name)
        if status == "RUNNING":
            self.client.update_run(run_id, status=status)
        else:
            self.client.set_terminated(run_id, status=status)

    def discard(self, run_id: str) -> None:
        """Move a run, and the runs below it, to MLflow's trash; they can be restored from there."""
        for run in self._runs({PARENT: run_id}):
            self.client.delete_run(run.info.run_id)
        self.client.delete_run(run_id)

    def _runs(self, tags: Mapping[str, str], *conditions: str, most: int | None = None) -> "list[Run]":
        """Return the runs with these tags that meet further conditions."""
        tagged = (f"tags.`{key}` = {quoted(value)}" for key, value in tags.items())
        query = " and ".join((*tagged, *conditions))
        runs: list[Run] = []
        token: str | None = None
        while most is None or len(runs) < most:
            page = self.client.search_runs(
                [self._experiment_id], query, max_results=most or 1000, page_token=token
            )
            runs += page
            token = page.token
            if not token:
                break
        return runs

    def _create_run(self, name: str, tags: Mapping[str, str]) -> str:
        _check_names(tags)
        run = self.client.create_run(self._experiment_id, run_name=name, tags=_limited(tags, _MAX_TAG))
        return str(run.info.run_id)

    def _write(self, run_id: str, tags: Mapping[str, str], params: Mapping[str, object]) -> None:
        """Write tags and params; the client splits them into batches of 100."""
        from mlflow.entities import Param, RunTag

        _check_names(tags)
        self.client.log_batch(
            run_id,
            params=[Param(key, value) for key, value in _limited(params, _MAX_PARAM).items()],
            tags=[RunTag(key, value) for key, value in _limited(tags, _MAX_TAG).items()],
        )


def _check_names(names: Mapping[str, object]) -> None:
    for name in names:
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be a name in MLflow: use alphanumerics, '_', '-', '.', space and ':', "
                f"with '/' between parts, at most {_MAX_NAME} characters"
            )


def _limited(values: Mapping[str, object], limit: int) -> dict[str, str]:
    """Convert values to text within MLflow's limit of characters."""
    texts = {name: str(value) for name, value in values.items()}
    for name, text in texts.items():
        if len(text) > limit:
            end = f" ... [cut, {len(text)} characters]"
            texts[name] = text[: limit - len(end)] + end
    return texts
