"""Whatever dies, nothing that was finished is lost, nothing is there twice, and the same command goes on.

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
from tests.faults.searching import Driver, mend, statuses, trials_of, wait_for
from tests.faults.server import MlflowServer
from tests.tuning.store import place
from tuning.ledger.lock import driving
from tuning.tracking.store import default_uri

pytestmark = pytest.mark.ray


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


def test_an_mlflow_server_that_is_away_for_a_while_and_at_the_end(tmp_path: Path, tiny_store: Path) -> None:
    place(tmp_path / "server")
    with MlflowServer(tmp_path / "server") as server:
        driver = Driver(tmp_path, tiny_store, 10, "--tracking-uri", server.uri)
        try:
            driver.start()
            driver.await_epochs(2)
            server.stop()
            driver.await_epochs(3)
            server.start()
            wait_for(lambda: driver.mirrored(server.uri) >= 5)
            server.stop()
            code, printed = driver.end()
        finally:
            driver.stop()
        assert code == 0, printed
        assert printed.count("MLflow cannot be written") == 2
        assert printed.count("MLflow can be written again") == 1
        assert "MLflow lacks a part of this search" in printed
        server.start()
        assert "to repair" not in mend(driver, server.uri)
        driver.check_whole(server.uri)
