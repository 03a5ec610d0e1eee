"""No fault loses or repeats anything that was finished, and the same command continues the search.

`make soak` injects the same faults and more, a hundred times.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dcodr.errors import UserError
from tests.faults.searching import Driver, statuses, trials_of
from tests.tuning.store import place
from tuning.ledger.lock import driving
from tuning.tracking.store import default_uri

pytestmark = pytest.mark.long


@pytest.fixture
def driver(tmp_path: Path, tiny_store: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path, tiny_store, 6)
    place(driver.storage)
    try:
        yield driver
    finally:
        driver.stop()


def test_a_driver_and_a_worker_that_are_killed_ctrl_c_and_sigterm_lose_nothing(driver: Driver) -> None:
    driver.start()
    driver.await_epochs(4)
    time.sleep(random.uniform(0, 1.5))
    before = {record.number: record for record in driver.records()}
    os.kill(driver.pid, signal.SIGKILL)
    driver.end()
    assert not driver.search().results().driven
    after = {record.number: record for record in driver.records()}
    for number, record in before.items():
        assert after[number] == record or record.status == "running"
        assert record.epochs.items() <= after[number].epochs.items()
    driver.start()
    driver.await_epochs(1)
    os.kill(trials_of(driver.pid)[0], signal.SIGKILL)
    driver.await_epochs(1)
    running = f"is running already, process {driver.pid} on"
    with pytest.raises(UserError, match=running), driving(driver.storage / "quick"):
        pass
    os.kill(driver.pid, signal.SIGINT)
    code, printed = driver.end(120)
    assert code != 0
    assert "--name quick --resume" in printed
    driver.start()
    driver.await_epochs(1)
    os.kill(driver.pid, signal.SIGTERM)
    code, printed = driver.end(120)
    assert code == 143
    assert "--name quick --resume" in printed
    parent, runs = statuses(MlflowClient(default_uri(driver.storage)), driver.search())
    assert "RUNNING" not in (parent, *runs)
    driver.start()
    code, printed = driver.end()
    assert code == 0, printed
    driver.check_whole()
