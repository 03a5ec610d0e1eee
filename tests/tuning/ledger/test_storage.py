"""Names of searches, and what is told of a storage that fails while one runs."""

import errno
import io
import os
import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.tune import TuneError
from rich.console import Console

from dcodr.data.store import open_store
from dcodr.errors import StorageError, UserError
from dcodr.files import write_text
from tests.tuning.store import place
from tuning import run
from tuning.ledger.storage import LEDGER, guarded, unfit
from tuning.run import run_search
from tuning.space import load_space
from tuning.tracking.store import default_uri
from tuning.tracking.tracker import Tracker

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


@pytest.fixture
def begin(tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begins a search of a name, as far as Ray would be started; returns the name that it would have."""
    storage = tmp_path / "runs"

    def begin(name: str | None, **options: Any) -> str:
        before = sorted(storage.rglob("*"))
        said = io.StringIO()
        space = load_space(QUICK, data=str(tiny_store))
        with pytest.raises(UserError) as refused:
            run_search(space, name=name, storage=storage, console=Console(file=said), **options)
        assert sorted(storage.rglob("*")) == before
        began = re.search("make the same call again with name='(.+)', resume=True", said.getvalue())
        return began[1] if began else str(refused.value)

    def started(address: object, verbose: object, on_head: Callable[[bool], None]) -> None:
        on_head(False)  # the message has the name
        raise UserError("far enough")

    monkeypatch.setattr(run, "ray_session", started)
    storage.mkdir()
    return begin


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mlflow.db", "is reserved: MLflow or the operating system"),
        ("MLflow.db-journal", "is reserved: MLflow or the operating system"),
        ("mlartifacts", "is reserved: MLflow or the operating system"),
        ("con", "is reserved: MLflow or the operating system"),
        ("NUL.txt", "is reserved: MLflow or the operating system"),
        ("漢" * 90, "is too long: it has 270 bytes"),
        ("a" * 250, "is too long: it has 250 bytes"),
        (".", "should be a plain folder name"),
        ("..", "should be a plain folder name"),
        ("a.", "should be a plain folder name"),
        ("a ", "should be a plain folder name"),
        ("a/b", "should be a plain folder name"),
        ("-a", "should be a plain folder name"),
        ("", "should be a plain folder name"),
    ],
)
def test_a_name_that_no_search_can_have(name: str, why: str, begin: Any) -> None:
    message = begin(name)
    assert message.startswith(f"name={name!r} ")
    assert why in message


@pytest.mark.parametrize("name", ["a", "mlflow", "console", "漢" * 60, "a" * 150, "über 2.1+x", "mlflow.dbx"])
def test_a_name_that_a_search_can_have(name: str, begin: Any) -> None:
    assert begin(name) == name


def test_a_folder_of_somebody_else_is_left_alone(begin: Any, tmp_path: Path) -> None:
    mine = tmp_path / "runs" / "mine"
    (mine / ".git").mkdir(parents=True)
    (mine / "space.yaml").write_text("mine")
    assert "contains other files, such as .git" in begin("mine")


def test_a_search_that_cannot_begin_removes_its_own_files_only(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> str:
        (begun / "notes.txt").write_text("of somebody else, meanwhile")
        raise UserError("refused")

    monkeypatch.setattr(run, "open_parent", refused)
    begun = tmp_path / "s"
    begun.mkdir()
    tracker: Any = SimpleNamespace(uri="sqlite:///none.db")
    with pytest.raises(UserError, match="refused"):
        run.begin(begun, load_space(QUICK, data=str(tiny_store)), "f", tracker, [])
    assert [path.name for path in begun.iterdir()] == ["notes.txt"]


def test_the_last_search_of_a_space_is_resumed(begin: Any, tmp_path: Path) -> None:
    for name in ("quick", "quick-3", "quick-long", "quicker-9"):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / LEDGER).write_text("damaged")
    (tmp_path / "runs" / "quick-2").mkdir()
    (tmp_path / "runs" / "quick-2" / "notes.txt").touch()
    assert "quick-3/ledger.log: not a ledger" in begin(None, resume=True)
    assert begin(None) == "quick-4"


def test_the_longest_name_still_fits_with_all_that_is_added_to_it(tmp_path: Path) -> None:
    longest = next("a" * n for n in range(255, 0, -1) if unfit("a" * n, tmp_path / "none" / "yet") is None)
    assert len(longest) > 150
    write_text(tmp_path / f"{longest}-12345.yaml", "by way of a temporary file")


def test_a_moved_search_resumes_only_once_mlflow_has_its_new_place(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ray_session", lambda *_: nullcontext())
    monkeypatch.setattr(run, "ready", lambda *_: None)
    old, new, console = tmp_path / "old", tmp_path / "new", Console(file=io.StringIO())
    place(old)
    (old / "s").mkdir()
    space = load_space(QUICK, data=str(tiny_store))
    run.begin(old / "s", space, open_store(tiny_store).fingerprint, Tracker(default_uri(old)), [])
    old.rename(new)
    with pytest.raises(UserError, match=f"artifacts are not in {old}.*: python -m tuning doctor NAME"):
        run_search(space, name="s", storage=new, resume=True, console=console)
    assert not old.exists()


def test_the_name_of_another_model_is_refused_before_a_search_begins(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ray_session", lambda *_: nullcontext())
    monkeypatch.setattr(run, "ready", lambda *_: None)
    place(tmp_path / "runs")
    client = Tracker(default_uri(tmp_path / "runs")).client
    other = client.create_run("0")
    client.create_registered_model("s")
    client.create_model_version("s", f"{other.info.artifact_uri}/encoder", other.info.run_id)
    client.set_registered_model_alias("s", "knee", "1")
    space, console = load_space(QUICK, data=str(tiny_store)), Console(file=io.StringIO())
    with pytest.raises(UserError, match=r"model 's' is of another program .* another name with name="):
        run_search(space, name="s", storage=tmp_path / "runs", console=console)
    assert not (tmp_path / "runs" / "s").exists()


def test_a_folder_of_other_things_is_not_taken(begin: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "file").touch()
    assert "runs/file is a file" in begin("file")
    (tmp_path / "runs" / "own").mkdir()
    (tmp_path / "runs" / "own" / "thesis.tex").touch()
    assert "contains other files, such as thesis.tex" in begin("own")
    (tmp_path / "runs" / "quick").mkdir()
    (tmp_path / "runs" / "quick" / "thesis.tex").touch()
    assert begin(None) == "quick-2"


def test_what_was_killed_as_it_began_keeps_no_name(begin: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "killed").mkdir()
    for name in ("driver.lock", "space.yaml", f"{LEDGER}.new", ".space.yaml.0.tmp"):
        (tmp_path / "runs" / "killed" / name).touch()
    assert begin("killed") == "killed"


def test_a_search_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_parent(folder: Path, *_: Any) -> str:
        assert (folder / "space.yaml").is_file()
        raise UserError("MLflow has just gone")

    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(run, "Tracker", lambda uri: SimpleNamespace(uri=uri))
    monkeypatch.setattr(run, "taken", lambda *_: None)
    monkeypatch.setattr(run, "open_parent", open_parent)
    space = load_space(QUICK, data=str(tiny_store))
    with pytest.raises(UserError, match="just gone"):
        run_search(space, name="a", storage=tmp_path / "runs", console=Console(file=io.StringIO()))
    assert not list((tmp_path / "runs").iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    for name in (LEDGER, "space.yaml"):
        (tmp_path / "runs" / "a" / name).touch()
    return tmp_path / "runs" / "a"


def told(folder: Path, error: Exception) -> str:
    with pytest.raises(StorageError) as caught, guarded(folder, "sqlite:///mlflow.db"):
        raise error
    return str(caught.value)


@pytest.mark.parametrize("lost", ["", LEDGER])
def test_a_folder_or_a_ledger_that_is_gone(folder: Path, lost: str) -> None:
    path = folder / lost
    if lost:
        path.unlink()
    else:
        shutil.rmtree(folder)
    message = told(folder, TuneError("whatever Ray makes of it"))
    assert message.startswith(f"{path} is gone: it was moved or deleted while search 'a' was running")
    assert "make the same call again with name='a', resume=True" in message
    assert "sqlite:///mlflow.db" in message


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS])
def test_a_disk_that_fails_behind_errors_of_others(folder: Path, code: int) -> None:
    try:
        try:
            raise OSError(code, os.strerror(code), str(folder / LEDGER))
        except OSError:
            raise TuneError("a traceback of twenty lines")  # noqa: B904  # as Ray does
    except TuneError as error:
        message = told(folder, error)
    assert message.startswith(f"cannot write {folder / LEDGER}: {os.strerror(code)}")
    assert ("the file system mounted at" in message) == (code in (errno.ENOSPC, errno.EDQUOT))
    assert "Nothing that was finished is lost" in message
    assert "make the same call again with name='a', resume=True" in message


@pytest.mark.parametrize(
    "error", [UserError("wrong"), KeyError("defect"), ConnectionError(errno.ECONNREFUSED, "refused")]
)
def test_what_is_no_fault_of_the_storage_stays_as_it_is(folder: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, guarded(folder, ""):
        raise error
    assert caught.value is error
