"""An MLflow server that goes away loses nothing: the search continues, and the doctor writes the rest."""

from pathlib import Path

import pytest

from tests.faults.searching import Driver, mend, wait_for
from tests.faults.server import MlflowServer
from tests.tuning.store import place

pytestmark = pytest.mark.long


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
        assert printed.count("cannot write to MLflow") == 2
        assert printed.count("MLflow answers again") == 1
        assert "MLflow lacks a part of this search" in printed
        server.start()
        assert "to repair" not in mend(driver, server.uri)
        driver.check_whole(server.uri)
