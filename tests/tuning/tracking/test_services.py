"""A search that is tracked over HTTP by an MLflow server in front of PostgreSQL: ``make test-services``."""

import importlib.util
import io
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest
from mlflow import MlflowClient
from rich.console import Console

from tests.faults.searching import QUICK, runs_of
from tests.faults.server import MlflowServer, free_port
from tuning.run import run_search
from tuning.space import load_space

pytestmark = pytest.mark.services

PASSWORD = "only-here"  # of a database that lives as long as the test
USER = "postgres" if os.geteuid() == 0 else None


@contextmanager
def running(
    words: list[str], ready: Callable[[], bool], log: Path, user: str | None = None
) -> Iterator[None]:
    """Provide a server that is ready, ended at the end with all processes that it started, and only those."""
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True, user=user)
        try:
            deadline = time.monotonic() + 120
            while not ready():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class Database:
    """A PostgreSQL of its own on 127.0.0.1."""

    def __init__(self, programs: Path, port: int) -> None:
        self.uri = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
        self._psql = programs / "psql"

    def ask(self, query: str) -> str | None:
        """Return the answer to a query, or ``None`` if there is none."""
        words = [str(self._psql), self.uri, "--tuples-only", "--no-align", "--command", query]
        done = subprocess.run(words, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs Debian's postgresql and the package psycopg[binary]: make test-services")
    programs, port = installed[-1].parent, free_port()
    folder = Path(mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path is short, and another user reads it
    secret = folder / "password"
    secret.write_text(PASSWORD)
    try:
        for path in (folder, secret):
            if USER is not None:
                shutil.chown(path, USER)
        words = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres"]
        words += ["--auth=scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(words, user=USER, cwd="/", capture_output=True, check=True)
        words = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
        words += ["-h", "127.0.0.1", "-p", str(port)]
        started = Database(programs, port)
        log = tmp_path_factory.mktemp("logs") / "postgresql.log"
        with running(words, lambda: started.ask("select 1") == "1", log, USER):
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server."""
    with MlflowServer(tmp_path_factory.mktemp("server"), database.uri) as started:
        yield started.uri


def test_all_figures_of_a_search_arrive(
    server: str, database: Database, tiny_store: Path, tmp_path: Path
) -> None:
    space = load_space(QUICK, data=str(tiny_store), search={"trials": 4})
    storage = tmp_path / "runs"
    console = Console(file=io.StringIO())
    search = run_search(space, storage=storage, tracking_uri=server, console=console)
    client = MlflowClient(server)
    parent = client.get_run(search.ledger.facts()["run_id"])
    assert parent.info.status == "FINISHED"
    fetched = Path(client.download_artifacts(parent.info.run_id, "space.yaml", str(tmp_path)))
    assert fetched.read_text() == QUICK.read_text()
    runs = runs_of(client, search)
    for trial in search.trials():
        run = runs[trial.number]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        bare = ("invariance", "informativeness")
        shown = {n: run.data.metrics[n if n in bare else f"probe/{n}"] for n in trial.metrics}
        assert shown == pytest.approx(trial.metrics, rel=1e-3)
        assert [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2]
        artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"config.yaml", "probes.csv", "retrieval.png"} <= artifacts
    assert len(search.trials()) == 4
    assert database.ask("select count(*), count(*) filter (where status = 'FINISHED') from runs") == "5|5"
    assert sorted(path.name for path in storage.iterdir()) == ["quick"]
