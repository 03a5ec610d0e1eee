"""A process's time with Ray."""

import gc
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from dcodr.errors import UserError
from tuning.interrupts import handlers_kept

REACHED = 10.0
"""Seconds that a head has to answer."""

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""Ray writes no logs of its own beside ours; a report without some figure is no error; Ctrl-C reaches us."""

WORKERS = {"MALLOC_ARENA_MAX": "1"}
"""A trial is a new thread of its worker, for which glibc would keep memory apart: gigabytes in the end."""


@contextmanager
def ray_session(address: str | None, verbose: bool = False) -> Iterator[None]:
    """Ray, on this machine or a cluster.

    Args:
        address: ``auto`` or ``HOST:PORT`` of the cluster's head; ``None`` for this machine alone.
        verbose: Whether Ray's own messages and what workers print are shown.

    Raises:
        UserError: If the cluster cannot be reached.
    """
    os.environ.update(QUIET)
    if address is not None:
        _require_reachable(address)
    try:
        with handlers_kept():
            ray.init(
                address=address or "local",
                num_cpus=None if address else cpus_here(),
                include_dashboard=False,
                runtime_env={"env_vars": WORKERS},
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else logging.ERROR,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--address {address}: {reason}. Does it run, with this version of Ray? If it was started with "
            "a token, set RAY_AUTH_MODE=token here; see docs/cluster.md"
        ) from None
    try:
        yield
    finally:
        # Ray ends the process if another thread, such as the one that writes to MLflow, happens to be the one
        # whose garbage collection frees a reference of Ray's in the middle of this.
        gc.disable()
        try:
            with handlers_kept():
                ray.shutdown()
        finally:
            gc.enable()


def _require_reachable(address: str) -> None:
    """Refuse an address that nobody listens at, within seconds; Ray alone would try for many minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise UserError(
            f"--address {address}: should be HOST:PORT of the head, or auto on a node of the cluster"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address}: nobody answers there: {error}") from None


def cpus_here() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
