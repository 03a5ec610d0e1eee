"""The MLflow mirror, on a real database."""

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from dcodr.errors import UserError
from tuning import tracking
from tuning.tracking import Tracker, add_artifacts, masked, ui_command


class Store:
    """One database for the whole file: a new one takes seconds."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder}/deep/down/mlflow.db"
        self.artifacts = folder / "artifacts"
        terminal = io.StringIO()
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
            self.tracker = Tracker(self.uri, "search", self.artifacts.as_uri())
        self.said = terminal.getvalue()
        self.client = MlflowClient(self.uri)

    def children(self, parent: str, condition: str = "") -> list[Run]:
        query = f"tags.\"mlflow.parentRunId\" = '{parent}'{condition}"
        return list(self.client.search_runs([self.tracker.experiment_id], query))

    def artifact(self, run_id: str, name: str) -> str:
        return (self.artifacts / run_id / "artifacts" / name).read_text()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("tracking"))


def test_a_search_from_start_to_end(store: Store) -> None:
    tracker = store.tracker
    parent = tracker.start_search("augs", {"dataset": "synthetic"}, {"trials": 2}, "params: {}\n")
    good = tracker.start_trial(0, "000 paper", {"crop": True, "encoder_lr": 1e-4}, {"seed": "7"}, "a: 1\n")
    bad = tracker.start_trial(1, "001", {"crop": False, "encoder_lr": 0.5}, {}, "a: 2\n")
    for epoch in range(3):
        tracker.log_epoch(good, epoch, {"invariance": 0.2 * epoch + 0.3, "accuracy/floor_hue": 0.5})
    tracker.log_epoch(bad, 0, {"invariance": 0.1})
    tracker.end_trial(good, "FINISHED", {"outcome": "complete"})
    tracker.end_trial(bad, "FAILED", {"outcome": "failed", "reason": "the loss is not finite"})
    tracker.end_search("FINISHED", {"front": "1"}, {"front.txt": "table", "environment.txt": "python"})

    search = store.client.get_run(parent)
    assert (search.info.status, search.info.run_name) == ("FINISHED", "augs")
    assert search.data.params == {"trials": "2"}
    assert {"dataset": "synthetic", "front": "1"}.items() <= search.data.tags.items()
    assert [store.artifact(parent, n) for n in ("space.yaml", "front.txt")] == ["params: {}\n", "table"]

    assert {run.info.run_id: run.info.status for run in store.children(parent)} == {
        good: "FINISHED",
        bad: "FAILED",
    }
    (found,) = store.children(parent, " and metrics.invariance > 0.5")
    assert (found.info.run_id, found.info.run_name) == (good, "000 paper")
    assert found.data.params == {"crop": "True", "encoder_lr": "0.0001"}
    assert {"trial": "0", "seed": "7", "outcome": "complete"}.items() <= found.data.tags.items()
    assert store.artifact(good, "config.yaml") == "a: 1\n"
    history = store.client.get_metric_history(good, "invariance")
    assert [(point.step, point.value) for point in history] == [(0, 0.3), (1, 0.5), (2, 0.7)]


def test_unfinished_trials_are_closed_and_the_search_goes_on(store: Store) -> None:
    store.tracker.start_search("other", {}, {}, "")
    foreign = store.tracker.start_trial(0, "foreign", {}, {}, "")
    parent = store.tracker.start_search("killed", {}, {}, "")
    ended = store.tracker.start_trial(0, "000", {}, {}, "")
    store.tracker.end_trial(ended, "FINISHED", {})
    left = {store.tracker.start_trial(n, f"{n:03d}", {}, {}, "") for n in (1, 2)}
    store.client.set_terminated(parent, "KILLED")

    again = Tracker(store.uri, "search", None)
    assert again.experiment_id == store.tracker.experiment_id
    assert set(again.close_unfinished(parent)) == left
    assert again.close_unfinished(parent) == []
    again.resume_search(parent)
    again.start_trial(3, "003", {}, {}, "")

    assert store.client.get_run(parent).info.status == "RUNNING"
    assert store.client.get_run(foreign).info.status == "RUNNING"
    statuses = {run.data.tags["trial"]: run.info.status for run in store.children(parent)}
    assert statuses == {"0": "FINISHED", "1": "KILLED", "2": "KILLED", "3": "RUNNING"}


def test_many_and_long_values(store: Store) -> None:
    store.tracker.start_search("long", {}, {}, "")
    params = {f"p{i}": i for i in range(250)} | {"space": "x" * 7000, "fits": "y" * 6000}
    run_id = store.tracker.start_trial(0, "000", params, {"reason": "z" * 9000}, "")
    store.tracker.end_trial(run_id, "FAILED", {f"t{i}": str(i) for i in range(150)} | {"trace": "w" * 8001})

    data = store.client.get_run(run_id).data
    assert len(data.params) == 252
    assert data.params["p249"] == "249"
    assert data.params["fits"] == "y" * 6000
    assert data.tags["t149"] == "149"
    for text, limit, was in [
        (data.params["space"], 6000, 7000),
        (data.tags["reason"], 8000, 9000),
        (data.tags["trace"], 8000, 8001),
    ]:
        assert len(text) == limit
        assert text.endswith(f"x ... [cut, {was} characters]".replace("x", text[0]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_figures_that_are_not_finite_are_refused_whole(store: Store, value: float) -> None:
    store.tracker.start_search("finite", {}, {}, "")
    run_id = store.tracker.start_trial(0, "000", {}, {}, "")
    with pytest.raises(ValueError, match=r"epoch 4 are not finite: \{'loss': "):
        store.tracker.log_epoch(run_id, 4, {"invariance": 0.5, "loss": value})
    assert store.client.get_run(run_id).data.metrics == {}


@pytest.mark.parametrize("name", ["", "a[0]", "a%", "/a", "a//b", "../a", "a/", "x" * 251])
def test_names_mlflow_cannot_take_are_refused_before_anything_is_written(store: Store, name: str) -> None:
    parent = store.tracker.start_search("names", {}, {}, "")
    run_id = store.tracker.start_trial(0, "000", {}, {}, "")
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        store.tracker.log_epoch(run_id, 0, {"fine": 0.0, name: 1.0})
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        store.tracker.start_trial(1, "001", {name: 1}, {}, "")
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        store.tracker.end_trial(run_id, "FINISHED", {name: "1"})
    (run,) = store.children(parent)
    assert (run.info.status, run.data.metrics) == ("RUNNING", {})


def test_every_allowed_character_is_taken(store: Store) -> None:
    store.tracker.start_search("names", {}, {}, "")
    name = "accuracy/wall_hue-2.5 k:3"
    run_id = store.tracker.start_trial(0, "000", {name: 1}, {name: "1"}, "")
    store.tracker.log_epoch(run_id, 0, {name: 1.0})
    assert store.client.get_run(run_id).data.metrics == {name: 1.0}


def test_trials_need_a_search(store: Store) -> None:
    fresh = Tracker(store.uri, "search", None)
    with pytest.raises(RuntimeError, match="before start_trial"):
        fresh.start_trial(0, "000", {}, {}, "")


def test_a_run_of_another_store_cannot_be_resumed(store: Store) -> None:
    with pytest.raises(UserError, match="cannot go on with MLflow run 'abc123'"):
        store.tracker.resume_search("abc123")


def test_a_deleted_experiment_is_explained(store: Store) -> None:
    number = Tracker(store.uri, "gone", None).experiment_id
    store.client.delete_experiment(number)
    with pytest.raises(UserError, match=rf"'gone' was deleted.*--experiment-id {number}"):
        Tracker(store.uri, "gone", None)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "uri",
    [
        f"http://user:hunter2@127.0.0.1:{closed_port()}/",
        f"http://hunter2@127.0.0.1:{closed_port()}",
        "postgresql+nodriver://user:hunter2@127.0.0.1/mlflow",
        "sqlite:///{folder}/no_database",
        "sqlite:///{folder}/no_database/mlflow.db",
        "{folder}/mlruns",
        "nonsense://user:hunter2@host",
        "",
    ],
)
def test_an_unusable_store_is_refused_quickly_with_nothing_written(tmp_path: Path, uri: str) -> None:
    uri = uri.replace("{folder}", str(tmp_path))
    (tmp_path / "no_database").write_text("some text, long enough to be taken for a header of a database" * 9)
    began, environment = time.monotonic(), dict(os.environ)
    with pytest.raises(UserError) as caught:
        Tracker(uri, "search", tmp_path.as_uri())
    assert time.monotonic() - began < 10
    assert masked(uri) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert [path.name for path in tmp_path.iterdir()] == ["no_database"]
    assert {name: os.environ.get(name) for name in tracking._FIRST_CONTACT} == {
        name: environment.get(name) for name in tracking._FIRST_CONTACT
    }


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
        Tracker(wrong_server, "search", None)


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tracking._FIRST_CONTACT, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setitem(tracking._FIRST_CONTACT, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(UserError, match="timed out"):
            Tracker(f"http://127.0.0.1:{silent.getsockname()[1]}", "search", None)
    assert time.monotonic() - began < 5


@contextlib.contextmanager
def short_lived_server() -> Iterator[str]:
    """A tracking server with one experiment."""

    class Known(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"experiment": {"experiment_id": "1", "name": "x", "lifecycle_stage": "active"}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with serving(Known) as address:
        yield address


def test_an_error_in_the_middle_of_a_search_repeats_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with short_lived_server() as address:
        tracker = Tracker(f"http://me:hunter2@{address}", "x", None)
    with pytest.raises(MlflowException) as caught:
        tracker.start_search("name", {}, {}, "")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "http://me:***@127.0.0.1" in str(caught.value)


def test_a_search_that_was_cut_off_as_it_began_goes_on_in_its_run(tmp_path: Path) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path.as_uri())
    tags = {"search": "s", "folder": "/home/o'brien/runs/s"}
    first = tracker.start_search("s", tags, {}, "")
    assert tracker.start_search("s", tags, {}, "") == first
    assert tracker.start_search("s", tags | {"folder": "/runs/s"}, {}, "") != first
    tracker.end_search("FINISHED", {}, {})


@pytest.mark.parametrize("written", ["p%40ss+w", "p@ss+w", "p@ss w"])
def test_a_secret_is_hidden_however_a_driver_writes_it(written: str) -> None:
    class Client:
        def search_runs(self) -> None:
            raise RuntimeError(f"no access for me with {written!r}")

    for uri in ("postgresql://me:p%40ss+w@h/db", "mysql://h/db?user=me&password=p%40ss+w"):
        with pytest.raises(MlflowException, match=r"no access for me with '\*\*\*'") as caught:
            tracking._DiscreetClient(cast(MlflowClient, Client()), uri).search_runs()
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


def test_the_line_that_shows_the_runs() -> None:
    assert ui_command("sqlite:////data/my runs/mlflow.db") == (
        "mlflow ui --backend-store-uri 'sqlite:////data/my runs/mlflow.db' --host 127.0.0.1 --port 5000"
    )
    assert "pw" not in ui_command("postgresql+psycopg2://u:pw@h/db")
    assert ui_command("https://u:pw@mlflow.example.org") == "https://u:***@mlflow.example.org"


def test_a_new_database_is_made_in_silence(store: Store) -> None:
    assert store.said == ""


def test_the_module_is_cheap_to_import() -> None:
    script = "import sys, tuning.tracking; print({'mlflow', 'sqlalchemy', 'ray', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_files_are_added_to_a_run_that_has_ended(store: Store, tmp_path: Path) -> None:
    parent = store.tracker.start_search("analysed", {}, {}, "params: {}\n")
    store.tracker.end_search("FINISHED", {}, {})
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
