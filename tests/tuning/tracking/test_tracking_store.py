"""Opening an MLflow store, and keeping its secrets."""

import contextlib
import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from dcodr.errors import UserError
from tests.tuning.store import Store, place
from tuning.tracking.file import sqlite_uri
from tuning.tracking.store import (
    DiscreetClient,
    add_artifacts,
    answering,
    connect,
    default_uri,
    masked,
    reason,
    ui_command,
    uri_of,
)
from tuning.tracking.tracker import Tracker


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:hunter2@127.0.0.1:{port}/",
        "http://hunter2@127.0.0.1:{port}",
        "postgresql+nodriver://user:hunter2@127.0.0.1/mlflow",
        "sqlite:///{folder}/no_database",
        "sqlite:///{folder}/no_database/mlflow.db",
        "{folder}/mlruns",
        "nonsense://user:hunter2@host",
        "",
    ],
)
def test_an_unusable_store_is_refused_quickly_with_nothing_written(tmp_path: Path, uri: str) -> None:
    uri = uri.replace("{folder}", str(tmp_path)).replace("{port}", str(closed_port()))
    (tmp_path / "no_database").write_text("some text, long enough to be taken for a header of a database" * 9)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        Tracker(uri)
    assert time.monotonic() - began < 10
    assert masked(uri) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert [path.name for path in tmp_path.iterdir()] == ["no_database"]


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Host and port of a web server that ends with the block."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wrong_server() -> Iterator[str]:
    """A web server that is not MLflow."""

    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving(NotFound) as address:
        yield f"http://{address}"


def test_a_server_that_is_not_mlflow(wrong_server: str) -> None:
    with pytest.raises(UserError, match=r"cannot use the MLflow tracking URI .*404"):
        Tracker(wrong_server)


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(UserError, match="timed out"):
            Tracker(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - began < 5


@contextlib.contextmanager
def short_lived_server() -> Iterator[str]:
    """Provide a tracking server with nothing in it."""

    class Known(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"{}"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving(Known) as address:
        yield address


def test_an_error_in_the_middle_of_a_search_repeats_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with short_lived_server() as address:
        tracker = Tracker(f"http://me:hunter2@{address}")
    with pytest.raises(MlflowException) as caught:
        tracker.keep("run", {"front": "1"}, {})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "http://me:***@127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("written", ["p%40ss+w", "p@ss+w", "p@ss w"])
def test_a_secret_is_hidden_however_a_driver_writes_it(written: str) -> None:
    class Client:
        def search_runs(self) -> None:
            raise RuntimeError(f"no access for me with {written!r}")

    for uri in ("postgresql://me:p%40ss+w@h/db", "mysql://h/db?user=me&password=p%40ss+w"):
        with pytest.raises(MlflowException, match=r"no access for me with '\*\*\*'") as caught:
            DiscreetClient(cast(MlflowClient, Client()), uri).search_runs()
        assert written not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:////data/me@work/a:b/mlflow.db", "sqlite:////data/me@work/a:b/mlflow.db"),
        ("http://127.0.0.1:5000/path", "http://127.0.0.1:5000/path"),
        ("postgresql://u:pw@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql+psycopg2://u:p%40w@h/db", "postgresql+psycopg2://u:***@h/db"),
        ("postgresql://u:pw/with@signs?@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:two words@h/db", "postgresql://u:***@h/db"),
        ("https://u:pw@h/p", "https://u:***@h/p"),
        ("https://token@h/p", "https://***@h/p"),
        (
            "mysql://h/db?user=u&password=pw&charset=utf8",
            "mysql://h/db?user=u&password=***&charset=utf8",
        ),
        ("http://h/?Access_Token=pw&x=1", "http://h/?Access_Token=***&x=1"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dpw", "mssql+pyodbc:///?odbc_connect=***"),
    ],
)
def test_secrets_of_a_uri_are_masked(uri: str, expected: str) -> None:
    assert masked(uri) == expected


def test_a_search_is_in_the_store_of_its_ledger_unless_that_was_moved(tmp_path: Path) -> None:
    default, elsewhere = default_uri(tmp_path), default_uri(tmp_path / "elsewhere")
    assert uri_of({"tracking_uri": "http://mlflow:5000"}, tmp_path) == "http://mlflow:5000"
    assert (
        uri_of({"tracking_uri": elsewhere}, tmp_path) == elsewhere
    )  # neither is there: the doctor makes the one of the ledger
    assert uri_of({}, tmp_path) == default
    (tmp_path / "mlflow.db").touch()
    custom = sqlite_uri(tmp_path / "mounted" / "trials.db")
    assert uri_of({"tracking_uri": custom}, tmp_path) == custom
    assert uri_of({"tracking_uri": elsewhere}, tmp_path) == default
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mlflow.db").touch()
    assert uri_of({"tracking_uri": elsewhere}, tmp_path) == elsewhere
    with pytest.raises(UserError, match=r"postgresql://me:\*\*\*@db/runs has secrets.*give it again"):
        uri_of({"tracking_uri": "postgresql://me:***@db/runs"}, tmp_path)


def test_the_line_that_shows_the_runs() -> None:
    assert ui_command("sqlite:////data/my runs/mlflow.db") == (
        "mlflow ui --backend-store-uri 'sqlite:////data/my runs/mlflow.db' --host 127.0.0.1 --port 5000"
    )
    assert "pw" not in ui_command("postgresql+psycopg2://u:pw@h/db")
    assert ui_command("https://u:pw@mlflow.example.org") == "https://u:***@mlflow.example.org"


def test_the_modules_are_cheap_to_import() -> None:
    engines = {"mlflow", "sqlalchemy", "ray", "torch"}
    script = f"import sys, tuning.tracking.outbox; print({engines} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_mlflow_tells_its_makers_nothing() -> None:
    script = (
        "from tuning.tracking.store import connect; connect('http://127.0.0.1:9')\n"
        "from mlflow.telemetry import get_telemetry_client; print(get_telemetry_client())"
    )
    bare = {name: os.environ[name] for name in ("PATH", "HOME")}  # in CI and in tests MLflow is silent anyway
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, env=bare, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_files_are_added_to_a_run_that_has_ended(store: Store, tmp_path: Path) -> None:
    tracker = store.begin("analysed")
    parent = tracker.search_id
    tracker.keep(parent, {}, {"space.yaml": ""})
    tracker.set_status(parent, "FINISHED", {})
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for file in files:
        file.write_text(file.name)
    add_artifacts(store.uri, parent, files, "analysis")
    assert store.artifact(parent, "analysis/one.csv") == "one.csv"
    files[0].write_text("anew")
    add_artifacts(store.uri, parent, files[:1], "analysis")
    assert store.artifact(parent, "analysis/one.csv") == "anew"
    assert store.artifact(parent, "analysis/two.csv") == "two.csv"
    assert store.client.get_run(parent).info.status == "FINISHED"


def test_files_for_an_unknown_run_or_store_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot add files to MLflow run nowhere"):
        add_artifacts(store.uri, "nowhere", [], "analysis")
    with pytest.raises(UserError, match="there is no file"):
        add_artifacts(f"sqlite:///{tmp_path}/none.db", "nowhere", [], "analysis")
    assert list(tmp_path.iterdir()) == []


def test_a_database_on_a_full_disk_is_told_by_its_file_system(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # the same error as of a full disk
        with pytest.raises(sqlalchemy.exc.OperationalError) as full:
            connection.exec_driver_sql("CREATE TABLE runs (x INTEGER)")
    told = reason(f"sqlite:///{file}", full.value)
    assert re.fullmatch(rf"the file system of {file}, mounted at /\S*, is full", told)
    folder = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "new"))
    assert "mounted at" in reason(f"sqlite:///{tmp_path}/new/mlflow.db", folder)
    assert reason("postgresql://u@h/mlflow", full.value).startswith("(sqlite3.OperationalError)")


def test_what_sqlalchemy_puts_before_an_error_is_left_out() -> None:
    error = MlflowException(
        "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block)\n"
        "(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT]"
    )
    told = "(sqlite3.OperationalError) attempt to write a readonly database"
    assert reason("sqlite:////runs/mlflow.db", error) == told
    assert reason("", Exception()) == "Exception"


def test_a_store_that_fails_before_there_is_an_outbox_is_told_in_one_message() -> None:
    told = r"cannot use the MLflow tracking URI 'http://\*\*\*@h': it is ill"
    with pytest.raises(UserError, match=told), answering("http://secret@h"):
        raise MlflowException("it is ill")
    with pytest.raises(KeyError), answering(""):
        raise KeyError("a defect stays one")


def test_a_store_that_fails_prints_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place(tmp_path / "runs")
    client = connect(f"sqlite:///{file}")
    client.create_experiment("moved")
    file.unlink()
    with pytest.raises(MlflowException):
        client.create_experiment("deleted")
    connection = sqlalchemy.create_engine("sqlite://").connect()
    cast(Any, connection.connection.dbapi_connection).close()
    connection.close()  # it cannot be rolled back, and is dropped
    assert not caplog.records
    assert "Traceback" not in capsys.readouterr().err
