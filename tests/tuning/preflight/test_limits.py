"""Limits of a container or a file system, which a search and its dry run find before they begin."""

import errno
import fcntl
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dcodr.errors import UserError
from tuning.cluster import machine
from tuning.preflight.plan import show_plan
from tuning.run import run_search
from tuning.space import Space, load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


def search(space: Space, storage: Path) -> object:
    return run_search(space, storage=storage, console=Console(file=io.StringIO()))


def dry_run(space: Space, storage: Path) -> None:
    console = Console(file=io.StringIO())
    show_plan(space, address=None, storage=storage, tracking_uri=None, console=console)


@pytest.fixture(params=[search, dry_run])
def begin(
    request: pytest.FixtureRequest, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], object]:
    """A search or its dry run; neither begins."""
    monkeypatch.setattr("tuning.run.ray_session", lambda *_: pytest.fail("the search begins"))
    monkeypatch.setattr("tuning.preflight.plan.check_cluster", lambda *_: pytest.fail("the rehearsal begins"))
    return lambda: request.param(load_space(QUICK, data=str(tiny_store)), tmp_path / "runs")


def test_too_little_memory_is_found(
    begin: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory_here", lambda: 2**29)
    with pytest.raises(UserError, match="this process may use 512 MiB of memory"):
        begin()
    assert not list(tmp_path.iterdir())


def test_a_folder_without_locks_is_found(
    begin: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(UserError, match=r"storage=.*runs.: .*without file locks \(flock\)"):
        begin()
    assert not list(tmp_path.iterdir())
