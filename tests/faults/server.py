"""A real MLflow server that can be stopped and started again."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.faults.searching import wait_for


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """One server, on one port, with a database in a folder.

    Args:
        folder: For the database and the artifacts; made.
        backend: Another database.
    """

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "mlflow.log"
        self.database = folder / "mlflow.db"
        self.uri = f"http://127.0.0.1:{free_port()}"
        self._words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
        self._words += ["--port", self.uri.rsplit(":", 1)[1]]
        self._words += ["--backend-store-uri", backend or f"sqlite:///{self.database}"]
        self._words += ["--artifacts-destination", str(folder / "artifacts")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # six more processes, idle
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log, env=env)
        wait_for(self._answers, 120)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def __enter__(self) -> "MlflowServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
