"""A real search whose disk fills up and whose folder is moved: one message, nothing finished lost."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dcodr.console import run
from tests.faults.searching import QUICK, Driver, wait_for
from tuning.ledger.trials import TrialRecord
from tuning.search_cli import app

pytestmark = pytest.mark.long


@pytest.fixture
def driver(tmp_path: Path, tiny_store: Path) -> Iterator[Driver]:
    """A search in a folder on a small file system of its own."""
    driver = Driver(tmp_path, tiny_store, 10_000)
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(mount)]).returncode:
        pytest.skip("file systems cannot be mounted here")
    driver.storage = mount / "runs"
    try:
        yield driver
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def search(
    driver: Driver, fault: Callable[[], object], capfd: pytest.CaptureFixture[str]
) -> tuple[str, dict[int, TrialRecord]]:
    """Begin or continue the search in this process, with a fault as soon as one more trial has ended.

    Returns:
        The one message with which it has ended, and the trials that had ended before the fault.
    """
    enough, before = len(driver.ended()) + 1, dict[int, TrialRecord]()

    def inject() -> None:
        try:
            wait_for(lambda: len(driver.ended()) >= enough, 300)
            before.update(driver.ended())
            fault()
        except BaseException:
            os.kill(os.getpid(), signal.SIGINT)
            raise

    words = ["--space", str(QUICK), "--data", str(driver.store), "--trials", str(driver.trials)]
    words += ["--set", "epochs=1", "--set", "resources.max_concurrent=1", "--storage", str(driver.storage)]
    thread = threading.Thread(target=inject)
    thread.start()
    with pytest.raises(SystemExit) as ended:
        run(app, [*words, *(["--resume"] if driver.begun else [])])
    thread.join()
    printed, complaints = capfd.readouterr()
    assert ended.value.code == 1, printed + complaints
    assert "Traceback" not in printed + complaints
    _, *messages = re.split(r"^error: ", complaints, flags=re.MULTILINE)
    assert len(messages) == 1, complaints
    return messages[0], before


@contextmanager
def filled(folder: Path) -> Iterator[Callable[[], None]]:
    """Fill a folder's file system when asked, to its last byte, whatever a search deletes there meanwhile."""
    filler, over = folder / "filler", threading.Event()

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while not over.wait(0.05):
                for size in (2**20, 2**12, 1):
                    with suppress(OSError):
                        while file.write(bytes(size)):
                            pass

    thread = threading.Thread(target=fill)
    try:
        yield thread.start
    finally:
        over.set()
        thread.join()
        filler.unlink()


def test_a_storage_that_fills_up_and_is_moved(
    driver: Driver, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    disk, folder = driver.storage.parent, driver.storage / "quick"
    with filled(disk) as fill:
        message, before = search(driver, fill, capfd)
    assert f"the file system mounted at {disk} has 0 MiB left" in message
    assert "Nothing that was finished is lost" in message
    assert "the same command again with --name quick --resume" in message
    assert driver.ended().items() >= before.items()

    elsewhere = disk / "elsewhere"
    message, before = search(driver, lambda: driver.storage.rename(elsewhere), capfd)
    assert message.startswith(f"{folder} is gone")
    assert re.search(
        r"move it back( \(replacing .*\))? and run the same command again with --name quick", message
    )
    shutil.rmtree(driver.storage, ignore_errors=True)  # a trial that was still running may have written there
    elsewhere.rename(driver.storage)
    assert driver.ended().items() >= before.items()
    assert not [record for record in caplog.records if record.exc_info]
