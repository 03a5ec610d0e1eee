"""Ray on this machine: found to start before anything is begun, and a head of a cluster that is watched."""

import io
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console

from dcodr.errors import UserError
from tuning.cluster import session
from tuning.cluster.session import LONGEST_SOCKET, SOCKET, ray_folder, ray_session, watch
from tuning.preflight.plan import show_plan
from tuning.run import run_search
from tuning.space import Space, load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a short path, which stands for /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        monkeypatch.setattr(session, "SHORT", (f"{name}/none", name))
        yield Path(name)


def test_rays_usual_folder_is_taken_where_it_can_serve(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(short))
    with ray_folder() as folder:
        assert folder == f"{short}/ray"
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    with ray_folder() as folder:
        assert folder == "/tmp/ray"


@pytest.mark.parametrize("usual", ["a" * 80, "../proc/none", "full"])
def test_a_short_folder_takes_the_place_of_one_that_cannot_serve(
    usual: str, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", f"/tmp/{usual}")
    if usual == "full":
        monkeypatch.setattr(session, "lacking", lambda path: None if path == short else "is full")
    with ray_folder() as folder:
        assert Path(folder).parent == short
        assert len(os.fsencode(f"{folder}/{SOCKET}")) <= LONGEST_SOCKET
        socket.socket(socket.AF_UNIX).bind(f"{folder}/s")
    assert not list(short.iterdir())


def test_no_folder_for_ray_is_told_with_every_reason(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp/" + "a" * 80)
    monkeypatch.setattr(session, "lacking", lambda path: f"cannot write to {path}")
    with pytest.raises(UserError, match=f"too long a path.*cannot write to {short}.*RAY_TMPDIR.* 39 char"):
        ray_folder().__enter__()


def quick(store: Path) -> Space:
    return load_space(QUICK, data=str(store), search={"trials": 2})


def refused(storage: Path, store: Path) -> str:
    """Return the one reason for which a search and a dry run are refused, with nothing left behind."""
    console = Console(file=io.StringIO())
    with pytest.raises(UserError) as of_search:
        run_search(quick(store), name="a", storage=storage, console=console)
    with pytest.raises(UserError) as of_plan:
        show_plan(quick(store), address=None, storage=storage, tracking_uri=None, console=console)
    assert not storage.exists()
    assert str(of_search.value) == str(of_plan.value)
    return str(of_search.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception("The current node timed out during startup."), "timed out during startup. 'ulimit -a'"),
        (RuntimeError(""), "Ray cannot start on this machine: RuntimeError"),
        (PermissionError(13, "Permission denied", "/root/.ray/auth_token"), "set HOME to a folder"),
        (OSError("AF_UNIX path length cannot exceed 107 bytes"), "AF_UNIX"),
    ],
    ids=str,
)
def test_whatever_ray_raises_is_found_before_a_search_begins(
    error: Exception, told: str, tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    assert told in refused(tmp_path / "runs", tiny_store)


@pytest.mark.parametrize("verbose", [False, True])
def test_the_tracebacks_that_tune_prints_are_shown_on_demand(
    verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[int] = []
    monkeypatch.setattr(ray, "init", lambda **given: levels.append(given["logging_level"]))
    with ray_session(None, verbose):
        assert (levels[0] <= logging.CRITICAL) == verbose


def test_a_ray_that_this_process_has_started_is_left_alone(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", lambda: pytest.fail("it is not ours"))
    assert "call ray.shutdown() first" in refused(tmp_path / "runs", tiny_store)
    with pytest.raises(UserError, match="started in this process"), ray_session("auto"):
        pass


def test_a_head_that_is_lost_and_comes_back_is_told_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOKED_AFTER", 0.01)
    told: list[bool] = []
    news, over = threading.Condition(), threading.Event()

    def on_head(answers: bool) -> None:
        with news:
            told.append(answers)
            news.notify()

    def hears(expected: list[bool]) -> bool:
        with news:
            return news.wait_for(lambda: told == expected, 10)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=watch, args=(f"127.0.0.1:{port}", on_head, over))
        thread.start()
        server.accept()[0].close()
    try:
        assert hears([False])
        with socket.create_server(("127.0.0.1", port)):
            assert hears([False, True])
    finally:
        over.set()
        thread.join()
