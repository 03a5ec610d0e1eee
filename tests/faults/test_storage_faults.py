"""A real search whose storage loses parts, fills up, and is moved: one message, nothing finished lost."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.searching import Driver

pytestmark = pytest.mark.ray


@pytest.fixture
def driver(tmp_path: Path, tiny_store: Path) -> Iterator[Driver]:
    """A search on a small file system of its own, where TMPDIR is too long a path for Ray's sockets."""
    driver = Driver(tmp_path, tiny_store, 10_000)
    driver.storage.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(driver.storage)]).returncode:
        pytest.skip("file systems cannot be mounted here")
    long = tmp_path / ("t" * 80)
    long.mkdir()
    driver.env["TMPDIR"] = str(long)
    try:
        yield driver
    finally:
        driver.stop()
        subprocess.run(["umount", "--lazy", str(driver.storage)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Keep a folder's file system filled to its last byte, whatever a search deletes there."""
    filler, over = folder / "filler", threading.Event()

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while not over.wait(0.05):
                for size in (2**20, 2**12, 1):
                    with suppress(OSError):
                        while file.write(bytes(size)):
                            pass

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        filler.unlink()


def only_error(printed: str) -> str:
    """The one message with which a search has ended."""
    assert "Traceback" not in printed
    _, *messages = re.split(r"^error: ", printed, flags=re.MULTILINE)
    assert len(messages) == 1, printed
    return messages[0]


def test_a_storage_that_loses_parts_fills_up_and_is_moved(driver: Driver) -> None:
    driver.start()
    driver.await_epochs(4, 300)
    folder = driver.storage / "quick"
    (folder / "driver.lock").unlink()
    shutil.rmtree(folder / "checkpoints")
    driver.await_epochs(2)  # as if nothing had been
    before = driver.ended()
    with full(driver.storage):
        code, printed = driver.end()
    assert code == 1, printed
    message = only_error(printed)
    assert f"the file system mounted at {driver.storage} has 0 MiB left" in message
    assert "Nothing that was finished is lost" in message
    assert "the same command and: --name quick --resume" in message
    assert driver.ended().items() >= before.items()

    driver.start()
    driver.await_epochs(3, 300)
    before = driver.ended()
    (driver.storage / "mlflow.db").unlink()
    driver.await_epochs(2)
    folder.rename(driver.storage / "elsewhere")
    code, printed = driver.end()
    assert code == 1, printed
    message = only_error(printed)
    assert message.startswith(f"{folder} is gone")
    assert re.search(
        r"move it back( in place of .*)?, and go on with the same command and: --name quick", message
    )
    shutil.rmtree(folder, ignore_errors=True)  # trials that were still running may have written there
    (driver.storage / "elsewhere").rename(folder)
    assert driver.ended().items() >= before.items()
