"""Connect to an MLflow tracking store, without long retries and without revealing secrets.

MLflow is slow to import, so it is imported where it is first needed.
"""

import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from dcodr.errors import UserError
from dcodr.files import FULL, file_system
from dcodr.words import option
from tuning.tracking.artifacts import require_artifacts
from tuning.tracking.file import ensure, require_whole, sqlite_file, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""MLflow's settings, unless the user has set them. Its own retries last for minutes, while ours are in
`tuning.tracking.outbox`; its telemetry takes half a millisecond a call, and its bar counts the files of a
download, which is one file here."""
_TALKATIVE = ("mlflow.store.db.utils", "sqlalchemy.pool")
"""Loggers that print the tracebacks of errors that are also raised; the caller reports them in one line."""
_AUTOFLUSH = "(raised as a result of Query-invoked autoflush"
"""Beginning of a line that SQLAlchemy puts before the message of an error."""
_SECRET_IN_QUERY = re.compile(
    r"([?&;](?:[^=&;]*(?:pass|pwd|token|secret|key|credential|signature)[^=&;]*|odbc_connect)=)([^&;]*)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"^(https?://)([^:/@]*)@")
_PASSWORD = re.compile(r"^([\w+.-]+://[^:/@]*):(.*)@", re.DOTALL)


def connect(uri: str) -> "DiscreetClient":
    """Open a store, without MLflow's INFO lines and links on the terminal.

    Args:
        uri: Tracking URI: a database such as `sqlite:////absolute/mlflow.db`, or the address of a server. A
            new SQLite database is created here, once (in seconds), before another process opens it. Models
            are registered in the same store, whatever `MLFLOW_REGISTRY_URI` says.

    Raises:
        UserError: If an SQLite file was written by another version of MLflow or by another program.
        Exception: If it cannot be opened; the type depends on the driver.
    """
    for name, value in _ENVIRONMENT.items():  # some are read at the import
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not uri:
        raise ValueError("it is empty")
    if file := sqlite_file(uri):
        ensure(file)
    elif _database(uri):
        _try_database(uri)
    return DiscreetClient(mlflow.MlflowClient(uri, registry_uri=uri), uri)


def _try_database(uri: str) -> None:
    """Connect once, because MLflow would retry for 100 seconds if a database cannot be opened."""
    import sqlalchemy

    url = sqlalchemy.make_url(uri)
    impatient = url.get_driver_name() in ("psycopg", "psycopg2", "pymysql", "mysqldb")
    engine = sqlalchemy.create_engine(url, connect_args={"connect_timeout": 10} if impatient else {})
    try:
        sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def require_file(uri: str) -> None:
    """Refuse an SQLite file that is missing or incomplete; opening it would create or change it."""
    if file := sqlite_file(uri):
        require_whole(file)


def default_uri(storage: Path) -> str:
    """Return the default tracking URI of the searches in a folder: an SQLite file there."""
    return sqlite_uri(storage.resolve() / "mlflow.db")


def uri_of(facts: Mapping[str, Any], storage: Path) -> str:
    """Return the tracking URI of a search, from the facts in its ledger.

    If that is the default file of another folder and not there, but this folder's is, then the searches have
    been moved: it is this folder's.

    Raises:
        UserError: If the URI has secrets, which no ledger keeps.
    """
    recorded = str(facts.get("tracking_uri") or default_uri(storage))
    if "***" in recorded:
        uri = option("tracking-uri")
        raise UserError(f"{uri}: {recorded} has secrets, which are not kept: give it again")
    default = default_uri(storage)
    here, there = sqlite_file(default), sqlite_file(recorded)
    if here is None or there is None or there.name != here.name:
        return recorded
    return default if here.is_file() and not there.is_file() else recorded


def try_store(uri: str) -> str:
    """Describe a tracking store in a few words, if it can be used; change nothing.

    Raises:
        UserError: If the store cannot be reached or opened, within seconds; no password is repeated.
    """
    try:
        if file := sqlite_file(uri):
            require_whole(file)
        elif _database(uri):
            _try_database(uri)
        else:
            connect(uri).search_experiments(max_results=1)
            return "answers"
        return "can be opened"
    except UserError:
        raise
    except FileNotFoundError as error:
        return f"{error}; it will be created"
    except Exception as error:  # every driver and server has its own
        raise unusable(uri, error) from None


def masked(uri: str) -> str:
    """Hide the secrets of a tracking URI, for messages, logs and artifacts.

    `***` replaces the password, every query value that may be a secret, and the credentials of a web address.
    If a password has unquoted `/` or `@`, too much is hidden rather than too little.
    """
    uri = _SECRET_IN_QUERY.sub(r"\1***", uri)
    uri = _TOKEN.sub(r"\1***@", uri)
    return _PASSWORD.sub(r"\1:***@", uri)


def ui_command(uri: str) -> str:
    """Return how to open the UI: a command for a database, the (masked) address of a server."""
    if _database(uri):
        return f"mlflow ui --backend-store-uri {shlex.quote(masked(uri))} --host 127.0.0.1 --port 5000"
    return masked(uri)


def unusable(uri: str, error: Exception) -> UserError:
    """Return the message for a user whose store cannot be reached, opened or written."""
    return UserError(
        f"cannot use the MLflow tracking URI {masked(uri)!r}: {reason(uri, error)}. Start the "
        "server, correct the URI, or use a local file such as sqlite:////absolute/path/mlflow.db."
    )


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn every error of a store that is opened or checked into one message.

    Raises:
        UserError: If the store fails; no password is repeated.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # every database driver and server has its own exceptions
        raise unusable(uri, error) from None


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn errors of MLflow into one message, where there is no outbox to retry.

    Raises:
        UserError: If the store fails; no password is repeated.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise unusable(uri, error) from None


def reason(uri: str, error: Exception) -> str:
    """Return the first line of an error, without the secrets of the URI.

    For an SQLite file on a full disk, the message names the file system.
    """
    if uri.startswith("sqlite") and ("disk is full" in str(error) or getattr(error, "errno", None) in FULL):
        file = Path(uri.partition(":///")[2].partition("?")[0])
        mount, _ = file_system(file)
        return f"the file system of {file}, mounted at {mount}, is full"
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(_AUTOFLUSH)]
    return _discreet((lines or [type(error).__name__])[0].strip(), uri)[:400].rstrip(". ")


def _discreet(text: str, uri: str) -> str:
    """Return a text without the secrets of the URI, whether as written or as decoded by a driver."""
    secrets = {match[2] for rule in (_SECRET_IN_QUERY, _TOKEN, _PASSWORD) for match in rule.finditer(uri)}
    secrets |= {decode(secret) for secret in secrets for decode in (unquote, unquote_plus)}
    if uri.rstrip("/"):  # errors repeat the URI without its last slash
        text = text.replace(uri.rstrip("/"), masked(uri).rstrip("/"))
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class DiscreetClient:
    """An MLflow client whose errors do not reveal the secrets of its tracking URI."""

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            from mlflow.exceptions import MlflowException
            from mlflow.protos.databricks_pb2 import ErrorCode

            try:
                return method(*args, **kwargs)
            except Exception as error:  # every driver and server has its own
                if masked(self._uri) == self._uri:
                    raise
                code = ErrorCode.Value(getattr(error, "error_code", "INTERNAL_ERROR"))
                raise MlflowException(_discreet(str(error), self._uri), code) from None

        return call


def _database(uri: str) -> bool:
    return re.split(r"[+:]", uri, maxsplit=1)[0] in _DATABASES


def add_artifacts(uri: str, run_id: str, files: Sequence[Path], folder: str) -> None:
    """Add files to the artifacts of a run, whether or not it has ended, in place of those of the same names.

    Nothing else of the run is changed.

    Raises:
        UserError: If the store cannot be reached or written, has no such run, or its artifacts were moved.
    """
    try:
        require_file(uri)
        client = connect(uri)
        require_artifacts(uri, client.get_run(run_id).info.artifact_uri)
        for file in files:
            client.log_artifact(run_id, str(file), folder)
    except UserError:
        raise
    except Exception as error:  # every driver and server has its own
        raise UserError(
            f"cannot add files to MLflow run {run_id} in {masked(uri)!r}: {reason(uri, error)}. Give the "
            "tracking URI that the search was started with."
        ) from None


def quoted(text: str) -> str:
    """Quote a text, e.g. a folder with an apostrophe, for a query of MLflow; its queries have no escapes."""
    return f'"{text}"' if "'" in text else f"'{text}'"
