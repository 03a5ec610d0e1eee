"""Two real nodes of Ray on one machine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import ray
from ray._private.authentication.authentication_token_setup import enable_token_auth_by_default

from tests.faults.searching import wait_for

ROOT = Path(__file__).parents[3]
RAY = Path(sys.executable).with_name("ray")


class Nodes:
    """Two nodes of Ray on this machine, each with a working folder of its own and one CPU.

    Args:
        folder: Where the working folders are made.
        blind: A folder that the second node has another file system at, if any.
    """

    def __init__(self, folder: Path, blind: Path | None = None) -> None:
        self._tmp = mkdtemp(prefix="rn", dir="/tmp")
        subprocess.run([RAY, "get-auth-token", "--generate"], capture_output=True, check=True)
        enable_token_auth_by_default()
        self.env = os.environ | {"RAY_TMPDIR": self._tmp, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._running: list[subprocess.Popen[bytes]] = []
        self.folders = [folder / "first", folder / "second"]
        for working in self.folders:
            working.mkdir(parents=True)
        self._start(["--head", "--port=0", "--include-dashboard=false"], self.folders[0], [])
        address = Path(self._tmp) / "ray" / "ray_current_cluster"
        wait_for(address.exists)
        self.address = address.read_text()
        self.add(blind)

    def add(self, blind: Path | None = None) -> None:
        """Start the second node."""
        apart = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(blind)]
        kind = ["--num-gpus=1", '--resources={"accelerator_type:H100": 1}']
        self._start([f"--address={self.address}", *kind], self.folders[1], apart if blind else [])

    def remove(self) -> None:
        """Kill the second node, and all that runs on it."""
        process = self._running.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def lose_head(self) -> None:
        """Kill the first node, and all that runs on it; the second one cannot be used without it."""
        process = self._running.pop(0)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _start(self, words: list[str], working: Path, before: list[str]) -> None:
        command = [*before, str(RAY), "start", "--block", "--num-cpus=1", "--object-store-memory=100000000"]
        process = subprocess.Popen(
            [*command, *words],
            cwd=working,
            env=self.env,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._running.append(process)

    def connect(self) -> list[dict[str, Any]]:
        """Connect this process; the nodes, once both are alive."""
        ray.init(address=self.address, log_to_driver=False)
        wait_for(lambda: len(alive()) == 2)
        return alive()

    def stop(self) -> None:
        """End what was started here, and only that."""
        ray.shutdown()
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self._tmp, ignore_errors=True)


def alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
