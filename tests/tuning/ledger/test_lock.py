"""The driver's lock: one driver at a time, seen by any number of readers, gone with its process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from dcodr.errors import UserError
from tuning.ledger.lock import LOCK, driven, driving

DRIVER = """
import sys, time
from pathlib import Path
from tuning.ledger.lock import driving
with driving(Path(sys.argv[1])):
    print("driving", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_driver(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "driving\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_search_is_driven_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    assert not driven(tmp_path)
    assert not list(tmp_path.iterdir())
    with driving(tmp_path):
        assert driven(tmp_path)
    assert not driven(tmp_path)


def test_a_second_driver_is_refused_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    with another_driver(tmp_path) as process:
        assert driven(tmp_path)
        refused = f"is running already, process {process.pid} on"
        with pytest.raises(UserError, match=refused), driving(tmp_path):
            pass
        assert driven(tmp_path)
        process.kill()
        process.wait()
        assert not driven(tmp_path)
        with driving(tmp_path):
            assert driven(tmp_path)


def test_readers_take_neither_each_other_for_a_driver_nor_stop_one(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    with ThreadPoolExecutor(8) as readers:
        assert not any(readers.map(driven, [tmp_path] * 500))
        looking = [readers.submit(driven, tmp_path) for _ in range(2000)]
        for _ in range(20):
            with driving(tmp_path):
                pass
        assert all(isinstance(look.result(), bool) for look in looking)


def test_a_reader_needs_no_write_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with driving(Path()):
        (tmp_path / LOCK).chmod(0o444)
        tmp_path.chmod(0o555)
        user = os.geteuid()
        os.seteuid(user or 65534)  # root may write whatever the modes say
        try:
            assert driven(Path())
        finally:
            os.seteuid(user)
            tmp_path.chmod(0o755)
