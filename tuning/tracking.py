"""MLflow as the mirror of a search: a parent run, one nested run a trial, written by the driver alone.

Runs are made through `mlflow.MlflowClient`, never the fluent API, so that no run is active behind the
driver's back and every run ends with the status it deserves. MLflow is slow to import and is imported where
it is first needed.
"""

import logging
import math
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, unquote_plus

from dcodr.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

Status = Literal["FINISHED", "FAILED", "KILLED"]

_PARENT = "mlflow.parentRunId"
EVERY_EPOCH = "images_per_second"
"""A figure that every epoch of a trial has."""
_MAX_NAME, _MAX_PARAM, _MAX_TAG = 250, 6000, 8000
_NAME = re.compile(r"\w[\w\-. :]*(/\w[\w\-. :]*)*")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_SECRET_IN_QUERY = re.compile(
    r"([?&;](?:[^=&;]*(?:pass|pwd|token|secret|key|credential|signature)[^=&;]*|odbc_connect)=)([^&;]*)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"^(https?://)([^:/@]*)@")
_PASSWORD = re.compile(r"^([\w+.-]+://[^:/@]*):(.*)@", re.DOTALL)


class Tracker:
    """Writes one search, its trials and their epochs to an MLflow tracking store.

    Names of params, tags and figures are made of alphanumerics, `_`, `-`, `.`, space and `:`, with `/`
    between parts; every method refuses others with a ValueError before it writes anything. Values longer than
    MLflow takes (6000 characters a param, 8000 a tag) are cut, and say so at their end.

    Args:
        uri: tracking URI: a database such as `sqlite:////absolute/mlflow.db`, or the address of a server. A
            new database is initialised here, once (some seconds), before anybody else opens it.
        experiment: experiment to put the search in; made if there is none.
        artifact_root: URI below which a new experiment keeps its artifacts; None leaves it to the server.

    Raises:
        UserError: if the store cannot be reached, opened or written, within seconds; no password is repeated.
    """

    def __init__(self, uri: str, experiment: str, artifact_root: str | None) -> None:
        self.uri = uri
        try:
            with _environment(_FIRST_CONTACT):
                self._client = _DiscreetClient(_connect(uri), uri)
                self.experiment_id = _experiment_id(self._client, experiment, artifact_root)
        except UserError:
            raise
        except Exception as error:  # every driver and server has its own
            raise _unusable(uri, error) from None
        self._search_id = ""

    def start_search(
        self, name: str, tags: Mapping[str, str], params: Mapping[str, object], space_text: str
    ) -> str:
        """Open the parent run; one of the same tags that a killed process has left RUNNING is taken over.

        Args:
            name: the search's name.
            tags: what to find it by.
            params: settings of the search as a whole.
            space_text: the space file as written, kept as artifact `space.yaml`.

        Returns:
            Run id of the parent.
        """
        left = self._find(tags, "attributes.status = 'RUNNING'")
        self._search_id = left or self._create_run(name, tags, params)
        self._client.log_text(self._search_id, space_text, "space.yaml")
        return self._search_id

    def resume_search(self, run_id: str) -> None:
        """Go on below a parent run of an earlier process and set it back to RUNNING.

        Args:
            run_id: what `start_search` returned.

        Raises:
            UserError: if the store has no such run or cannot be reached.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException as error:
            raise UserError(
                f"cannot go on with MLflow run {run_id!r} in {masked(self.uri)}: {_reason(self.uri, error)}. "
                "Resume with the tracking URI that the search was started with."
            ) from None
        self._search_id = run_id

    def start_trial(
        self, number: int, name: str, params: Mapping[str, object], tags: Mapping[str, str], config_yaml: str
    ) -> str:
        """Open the run of one trial, nested in the search's; one that it has already is gone on with.

        Args:
            number: the trial's number in the search, kept as tag `trial`.
            name: what the UI shows.
            params: its settings, flat and readable.
            tags: what else to find it by.
            config_yaml: its configuration, kept as artifact `config.yaml`.

        Returns:
            Run id of the trial.

        Raises:
            RuntimeError: if no search was started or resumed.
        """
        if not self._search_id:
            raise RuntimeError("start_search or resume_search comes before start_trial")
        known = self._find({_PARENT: self._search_id, "trial": str(number)})
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            return known
        run_id = self._create_run(name, {_PARENT: self._search_id, "trial": str(number), **tags}, params)
        self._client.log_text(run_id, config_yaml, "config.yaml")
        return run_id

    def resume_trial(self, run_id: str) -> int:
        """Go on with the run of a trial that was cut off and set it back to RUNNING.

        Args:
            run_id: what `start_trial` returned.

        Returns:
            The last epoch it has figures of; 0 for none.
        """
        self._client.update_run(run_id, status="RUNNING")
        history = self._client.get_metric_history(run_id, EVERY_EPOCH)
        return max((metric.step for metric in history), default=0)

    def log_epoch(self, run_id: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Write the figures of one epoch in one batch.

        Args:
            run_id: the trial's run.
            epoch: becomes MLflow's step.
            figures: name to value, at most 1000.

        Raises:
            ValueError: if a value is not finite; nothing is written then.
        """
        from mlflow.entities import Metric

        _check_names(figures)
        bad = {name: value for name, value in figures.items() if not math.isfinite(value)}
        if bad:
            raise ValueError(f"figures of epoch {epoch} are not finite: {bad}")
        now = int(time.time() * 1000)
        self._client.log_batch(run_id, metrics=[Metric(k, float(v), now, epoch) for k, v in figures.items()])

    def end_trial(self, run_id: str, status: Status, tags: Mapping[str, str]) -> None:
        """Close a trial's run.

        Args:
            run_id: the trial's run.
            status: how it ended for MLflow.
            tags: how it ended for the search: outcome, reason.
        """
        self._write(run_id, tags, {})
        self._client.set_terminated(run_id, status=status)

    def end_search(self, status: Status, tags: Mapping[str, str], artifacts: Mapping[str, str]) -> None:
        """Close the parent run.

        Args:
            status: how the search ended.
            tags: its summary.
            artifacts: file name to text.
        """
        for name, text in artifacts.items():
            self._client.log_text(self._search_id, text, name)
        self.end_trial(self._search_id, status, tags)

    def close_unfinished(self, parent_run_id: str) -> list[str]:
        """Set every trial of a search that still counts as RUNNING to KILLED.

        For the start of a resumed search and the clean-up of a crashed one: what left them RUNNING is gone.

        Args:
            parent_run_id: the search's run.

        Returns:
            Run ids of the trials that were closed.
        """
        query = f"tags.\"{_PARENT}\" = '{parent_run_id}' and attributes.status = 'RUNNING'"
        closed: list[str] = []
        while page := self._client.search_runs([self.experiment_id], query, max_results=1000):
            for run in page:
                self._client.set_terminated(run.info.run_id, status="KILLED")
                closed.append(run.info.run_id)
        return closed

    def _find(self, tags: Mapping[str, str], *conditions: str) -> str | None:
        """The run with some tags that meets some conditions more, if there is one."""
        tagged = (f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
        query = " and ".join((*tagged, *conditions))
        runs = self._client.search_runs([self.experiment_id], query, max_results=1)
        return str(runs[0].info.run_id) if runs else None

    def _create_run(self, name: str, tags: Mapping[str, str], params: Mapping[str, object]) -> str:
        _check_names(params)
        _check_names(tags)
        run = self._client.create_run(self.experiment_id, run_name=name, tags=_limited(tags, _MAX_TAG))
        self._write(run.info.run_id, {}, params)
        return str(run.info.run_id)

    def _write(self, run_id: str, tags: Mapping[str, str], params: Mapping[str, object]) -> None:
        """Write tags and params; the client splits them into batches of 100."""
        from mlflow.entities import Param, RunTag

        _check_names(tags)
        self._client.log_batch(
            run_id,
            params=[Param(key, value) for key, value in _limited(params, _MAX_PARAM).items()],
            tags=[RunTag(key, value) for key, value in _limited(tags, _MAX_TAG).items()],
        )


def default_uri(storage: Path) -> str:
    """The tracking URI of the searches in a folder, if none is given: an SQLite file in it."""
    return f"sqlite:///{storage.resolve() / 'mlflow.db'}"


def try_store(uri: str) -> str:
    """Refuse a tracking store that could not be used; nothing in it is changed.

    Args:
        uri: tracking URI, as for `Tracker`; an SQLite file exists.

    Returns:
        What was found, in a few words.

    Raises:
        UserError: if the store cannot be reached or opened, within seconds; no password is repeated.
    """
    try:
        with _environment(_FIRST_CONTACT):
            if _database(uri):
                _try_database(uri)
                return "can be opened"
            _connect(uri).search_experiments(max_results=1)
            return "answers"
    except Exception as error:  # every driver and server has its own
        raise _unusable(uri, error) from None


def add_artifacts(uri: str, run_id: str, files: Sequence[Path], folder: str) -> None:
    """Keep files with a run that has ended or not, making nothing else in the store.

    Args:
        uri: tracking URI, as for `Tracker`.
        run_id: the run, e.g. a search's parent; its status stays.
        files: they replace those of the same names.
        folder: where among the run's artifacts to put them.

    Raises:
        UserError: if the store cannot be reached or written, or has no such run.
    """
    try:
        _require_file(uri)
        with _environment(_FIRST_CONTACT):
            client = _connect(uri)
            client.get_run(run_id)
        for file in files:
            client.log_artifact(run_id, str(file), folder)
    except Exception as error:  # every driver and server has its own
        raise UserError(
            f"cannot add files to MLflow run {run_id} in {masked(uri)!r}: {_reason(uri, error)}. Give the "
            "tracking URI that the search was started with."
        ) from None


def masked(uri: str) -> str:
    """Hide the secrets of a tracking URI, for messages, logs and artifacts.

    `***` replaces the password, every query value that may be a secret, and the credentials of a web address.
    Where a password has unquoted `/` or `@`, too much is hidden rather than too little.
    """
    uri = _SECRET_IN_QUERY.sub(r"\1***", uri)
    uri = _TOKEN.sub(r"\1***@", uri)
    return _PASSWORD.sub(r"\1:***@", uri)


def ui_command(uri: str) -> str:
    """Say how to look at the runs: the command for a database, the (masked) address of a server."""
    if _database(uri):
        return f"mlflow ui --backend-store-uri {shlex.quote(masked(uri))} --host 127.0.0.1 --port 5000"
    return masked(uri)


def _connect(uri: str) -> "MlflowClient":
    """Open the store, without MLflow's INFO lines and links on the terminal."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if not uri:
        raise ValueError("it is empty")
    if _database(uri):
        _try_database(uri)
    return mlflow.MlflowClient(uri)


def _try_database(uri: str) -> None:
    """Connect once: MLflow would retry a database that cannot be opened for 100 seconds."""
    import sqlalchemy

    url = sqlalchemy.make_url(uri)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    impatient = url.get_driver_name() in ("psycopg", "psycopg2", "pymysql", "mysqldb")
    engine = sqlalchemy.create_engine(url, connect_args={"connect_timeout": 10} if impatient else {})
    try:
        sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _require_file(uri: str) -> None:
    """Refuse an SQLite file that does not exist, which opening would make."""
    import sqlalchemy

    if uri.startswith("sqlite"):
        file = sqlalchemy.make_url(uri).database
        if file and not Path(file).is_file():
            raise FileNotFoundError(f"there is no file {file}")


def _experiment_id(client: "_DiscreetClient", name: str, artifact_root: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return str(client.create_experiment(name, artifact_location=artifact_root))
    if experiment.lifecycle_stage == "deleted":
        raise UserError(
            f"the MLflow experiment {name!r} was deleted: choose another name, or bring it back with "
            f"`mlflow experiments restore --experiment-id {experiment.experiment_id}`."
        )
    return str(experiment.experiment_id)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, which is how MLflow takes its timeouts, for a while."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


def _unusable(uri: str, error: Exception) -> UserError:
    return UserError(
        f"cannot use the MLflow tracking URI {masked(uri)!r}: {_reason(uri, error)}. Start the "
        "server, correct the URI, or use a local file such as sqlite:////absolute/path/mlflow.db."
    )


def _reason(uri: str, error: Exception) -> str:
    """First line of an error, without the secrets of the URI (errors repeat it less its last slash)."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return _discreet(lines[0], uri)[:400].rstrip(". ")


def _discreet(text: str, uri: str) -> str:
    """A text without the secrets of the URI, as they are written there or as a driver decodes them."""
    secrets = {match[2] for rule in (_SECRET_IN_QUERY, _TOKEN, _PASSWORD) for match in rule.finditer(uri)}
    secrets |= {decode(secret) for secret in secrets for decode in (unquote, unquote_plus)}
    if uri.rstrip("/"):
        text = text.replace(uri.rstrip("/"), masked(uri).rstrip("/"))
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class _DiscreetClient:
    """An MLflow client whose errors repeat no secret of its tracking URI.

    Args:
        client: The client.
        uri: Its tracking URI.
    """

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            from mlflow.exceptions import MlflowException

            try:
                return method(*args, **kwargs)
            except Exception as error:  # every driver and server has its own
                if masked(self._uri) == self._uri:
                    raise
                raise MlflowException(_discreet(str(error), self._uri)) from None

        return call


def _database(uri: str) -> bool:
    return re.split(r"[+:]", uri, maxsplit=1)[0] in _DATABASES


def _check_names(names: Mapping[str, object]) -> None:
    for name in names:
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be a name in MLflow: use alphanumerics, '_', '-', '.', space and ':', "
                f"with '/' between parts, at most {_MAX_NAME} characters"
            )


def _quoted(text: str) -> str:
    """A text as MLflow's queries want it, which know no escapes: e.g. a folder with an apostrophe."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def _limited(values: Mapping[str, object], limit: int) -> dict[str, str]:
    """Turn values into text that MLflow takes."""
    texts = {name: str(value) for name, value in values.items()}
    for name, text in texts.items():
        if len(text) > limit:
            end = f" ... [cut, {len(text)} characters]"
            texts[name] = text[: limit - len(end)] + end
    return texts
