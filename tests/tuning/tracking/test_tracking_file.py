"""MLflow's SQLite database is whole or not there, whoever dies or comes at the same moment."""

import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.db.utils import _initialize_tables

from dcodr.errors import UserError
from tests.faults.full_disk import files_end_at
from tests.faults.searching import ROOT
from tests.tuning.store import Store, place
from tuning.tracking import file as tracking_file
from tuning.tracking.file import sqlite_file, sqlite_uri
from tuning.tracking.store import default_uri, require_file, try_store, ui_command
from tuning.tracking.tracker import Tracker

MAKERS = """
import os, signal, sys, time
from pathlib import Path
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from tuning.tracking.file import ensure, require_whole

def maker(file):
    if not (child := os.fork()):
        ensure(file)
        os._exit(0)
    return child

killed, shared = map(Path, sys.argv[1:])
for after in (0.05, 0.5, 1.0):
    child = maker(killed)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if killed.exists():
        require_whole(killed)
ensure(killed)
require_whole(killed)
for child in [maker(shared) for _ in range(3)]:
    assert os.waitpid(child, 0)[1] == 0
require_whole(shared)
"""


@pytest.fixture(scope="module")
def half_made() -> dict[int, bytes]:
    """Return databases as a killed MLflow leaves them, by the number of executed statements."""
    found: dict[int, bytes] = {}
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        engine = sqlalchemy.create_engine(f"sqlite:///{file}")

        @sqlalchemy.event.listens_for(engine, "after_cursor_execute")
        def snap(connection: object, cursor: object, statement: str, *more: object) -> None:
            nonlocal done
            done += not statement.lstrip().upper().startswith(("SELECT", "PRAGMA"))
            if done in (1, 60):
                found[done] = file.read_bytes()

        @sqlalchemy.event.listens_for(engine, "connect")
        def hurry(connection: sqlite3.Connection, record: object) -> None:
            connection.execute("PRAGMA synchronous = OFF")

        _initialize_tables(engine)  # type: ignore[no-untyped-call]
        engine.dispose()
    return found


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_file, "PATIENCE", 0.01)


@pytest.mark.parametrize("statements", [1, 60])
def test_a_half_made_database_that_nobody_used_is_told_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, half_made: dict[int, bytes], statements: int
) -> None:
    file = tmp_path / "mlflow.db"
    before, uri = half_made[statements], f"sqlite:///{file}"
    file.write_bytes(before)
    assert "was not made whole" in try_store(uri)
    with pytest.raises(FileNotFoundError, match="was not made whole"):
        require_file(uri)
    assert file.read_bytes() == before
    tracker = Tracker(uri)
    assert tracker.start_search("id", "s", {"search": "s"}, {}, experiment="e", artifact_root=None)
    assert (tmp_path / "mlflow.half-made.db").read_bytes() == before
    assert "kept as mlflow.half-made.db" in caplog.text
    assert try_store(uri) == "can be opened"


@pytest.mark.long
def test_killed_makers_leave_nothing_and_of_three_at_once_one_makes_the_database(tmp_path: Path) -> None:
    killed, shared = tmp_path / "mlflow.db", tmp_path / "shared" / "mlflow.db"
    done = subprocess.run(
        [sys.executable, "-c", MAKERS, killed, shared], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "created again" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock", "shared"}
    assert {path.name for path in shared.parent.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}


def test_a_database_that_another_program_still_makes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, half_made: dict[int, bytes]
) -> None:
    """As `mlflow ui` does, without our lock."""
    file, whole = tmp_path / "mlflow.db", sqlite_file(store.uri)
    assert whole is not None
    file.write_bytes(half_made[60])
    naps = iter(range(9))

    def go_on(seconds: float) -> None:
        if next(naps) < 3:
            with closing(sqlite3.connect(file)) as database:
                database.execute(f"CREATE TABLE step_{time.monotonic_ns()} (x)")
        else:
            file.write_bytes(whole.read_bytes())

    monkeypatch.setattr("tuning.tracking.file.time.sleep", go_on)
    Tracker(f"sqlite:///{file}")
    assert not list(tmp_path.glob("*half-made*"))


def test_what_lies_beside_a_missing_database_does_not_spoil_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    (tmp_path / "mlflow.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    file.touch()
    Tracker(f"sqlite:///{file}")
    assert not (tmp_path / "mlflow.db-journal").exists()
    assert (tmp_path / "mlflow.half-made.db-journal").exists()


def test_a_full_disk_leaves_nothing_of_a_database(tmp_path: Path) -> None:
    with files_end_at(100_000), pytest.raises(UserError, match="cannot use the MLflow tracking URI"):
        Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]


def used(file: Path, store: Store) -> str:
    """Return a copy of a database in use, whose schema can be changed; its URI."""
    whole = sqlite_file(store.uri)
    assert whole is not None
    store.begin("used")
    file.write_bytes(whole.read_bytes())
    return f"sqlite:///{file}"


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("7ac759974ad8", r"was written by an older MLflow than this one, .* mlflow db upgrade sqlite:////"),
        ("0123456789ab", r"was written by a newer MLflow than this one, .* \(its schema is 0123456789ab\)"),
        (None, "holds another program's data"),
    ],
)
def test_a_used_database_of_another_version_is_told_and_left(
    store: Store, tmp_path: Path, revision: str | None, said: str
) -> None:
    file = tmp_path / "mlflow.db"
    uri = used(file, store)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM alembic_version")
        if revision:
            database.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        database.commit()
    before = file.read_bytes()
    for opened in (Tracker, try_store, require_file):
        with pytest.raises(UserError, match=said):
            opened(uri)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("name", ["run%20s", "runs?x=1", "a#b", "läufe 1", "a;token=x&y", "plain", "50%"])
def test_all_files_are_in_the_storage_folder_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = tmp_path / name
    place(storage)
    uri = default_uri(Path(name))
    assert sqlite_file(uri) == storage / "mlflow.db"
    tracker = Tracker(uri)
    root = (storage / "mlartifacts").as_uri()
    tracker.start_search("id", name, {"search": name}, {}, experiment=name, artifact_root=root)
    tracker.keep(tracker.search_id, {}, {"a.txt": "text"})
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (storage / "mlartifacts" / tracker.search_id / "artifacts" / "a.txt").read_text() == "text"
    words = shlex.split(ui_command(uri))
    client = MlflowClient(words[words.index("--backend-store-uri") + 1])
    assert client.get_run(tracker.search_id).data.tags["search"] == name
    got = client.download_artifacts(tracker.search_id, "a.txt", str(tmp_path / name))
    assert Path(got).read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_uri_leads_to_its_file_and_back(tmp_path: Path) -> None:
    assert sqlite_uri(Path("/data/my runs/ä/mlflow.db")) == "sqlite:////data/my runs/ä/mlflow.db"
    assert sqlite_uri(Path("/a/b%20/c/m.db")) == "sqlite:////a/b%2520%2Fc%2Fm.db"
    assert sqlite_file("sqlite:///mlflow.db") == Path.cwd() / "mlflow.db"
    assert sqlite_file(f"sqlite:///file:{tmp_path}/m%20.db?uri=true") == tmp_path / "m .db"
    for other in ("sqlite://", "sqlite:///:memory:", "postgresql://h/db", "http://h", "sqlite:nonsense"):
        assert sqlite_file(other) is None
