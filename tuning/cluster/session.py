"""The connection of this process to Ray."""

import gc
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from dcodr import plugins
from dcodr.errors import UserError
from dcodr.words import option
from tuning.cluster.machine import cpus_here, lacking
from tuning.interrupts import handlers_kept

REACHED = 10.0
"""Seconds within which a head has to answer."""
LOOKED_AFTER = 5.0
"""Seconds between two checks of the head."""
OBJECT_STORE = 100_000_000
"""Bytes of shared memory for Ray on this machine. Trials send metrics only, so little is enough. Ray's
default, a third of the memory, is more than a container's /dev/shm or a limit of address space allows."""
LONGEST_SOCKET = 107
"""Most bytes of a Unix socket's path."""
SOCKET = "session_2026-12-31_23-59-59_999999_4194304/sockets/plasma_store"
"""The longest path of a socket in Ray's folder."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")
"""Parents of a new folder for Ray, if the usual folder cannot be used."""

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_prestart_worker_first_driver": "0",
}
"""Environment of Ray: Ray writes no logs beside ours, a report may lack a metric, and Ctrl-C reaches us.
Ray starts no worker in advance: it has another environment than Tune asks for, and no trial could use it."""

SILENT = logging.CRITICAL + 1
"""Ray prints a traceback of whatever a trial, a callback or a disk raises, and hands it to us as well."""

WORKERS = {"MALLOC_ARENA_MAX": "1"}
"""Environment of workers. Each trial is a new thread of its worker, and glibc would keep an arena of memory
for each thread, which adds up to gigabytes."""


@contextmanager
def ray_session(
    address: str | None, verbose: bool = False, on_head: Callable[[bool], None] | None = None
) -> Iterator[None]:
    """Connect to Ray, on this machine or a cluster, for the time of a ``with`` block.

    Args:
        address: ``auto`` or ``HOST:PORT`` of the cluster's head; ``None`` for this machine alone.
        verbose: Whether Ray's own messages and what workers print are shown.
        on_head: Called in another thread when the head of a cluster stops answering (``False``) and when it
            answers again (``True``). Ray waits a minute for the head and then ends this process.

    Raises:
        UserError: If Ray cannot be started here, or the cluster cannot be reached.
    """
    os.environ.update(QUIET)
    if ray.is_initialized():
        raise UserError(
            "Ray has been started in this process already, and a search starts its own: call ray.shutdown() "
            "first, or run the search in another process"
        )
    if address is not None:
        _require_reachable(address)
        with _connected({"address": address}, address, verbose), _watched(on_head):
            yield
    else:
        with ray_folder() as folder:
            local = {
                "address": "local",
                "num_cpus": cpus_here(),
                "object_store_memory": OBJECT_STORE,
                "_temp_dir": folder,
            }
            with _connected(local, None, verbose):
                yield


@contextmanager
def ray_folder() -> Iterator[str]:
    """Provide a folder for the sockets and logs of Ray on this machine: the usual one, if it can be used.

    Otherwise the folder is a new one with a short path, which is removed at the end.

    Raises:
        UserError: If no folder can be used.
    """
    usual = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray"
    if (why := _unfit(usual)) is None:
        yield str(usual)
        return
    reasons = [why]
    for parent in filter(os.path.isdir, SHORT):
        if (why := lacking(Path(parent))) is None:
            own = tempfile.mkdtemp(prefix="dcodr-", dir=parent)
            try:
                yield own
                return
            finally:
                shutil.rmtree(own, ignore_errors=True)
        reasons.append(why)
    longest = LONGEST_SOCKET - len(f"/ray/{SOCKET}")
    raise UserError(
        f"Ray finds no folder for its sockets and logs: {'; '.join(reasons)}. Set RAY_TMPDIR to a folder of "
        f"your own, with room and a path of at most {longest} characters"
    )


def _unfit(folder: Path) -> str | None:
    """Return the reason why Ray cannot use a folder, or ``None``."""
    if not folder.is_absolute():
        return f"{folder} is not an absolute path"
    if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
        return f"{folder} is too long a path for sockets"
    return lacking(next(path for path in (folder, *folder.parents) if path.exists()))


@contextmanager
def _connected(where: Mapping[str, Any], address: str | None, verbose: bool) -> Iterator[None]:
    """Connect by :func:`ray.init`, and shut Ray down at the end."""
    try:
        with handlers_kept():
            ray.init(
                **where,
                include_dashboard=False,
                runtime_env={"env_vars": WORKERS | plugins.environment()},
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else SILENT,
            )
    except Exception as error:  # Ray has no exception of its own for this
        ray.shutdown()
        raise _refusal(address, error) from error
    try:
        yield
    finally:
        # Ray ends the process if the garbage collection of another thread, such as the one that writes to
        # MLflow, frees a reference of Ray's during the shutdown.
        gc.disable()
        try:
            with handlers_kept():
                ray.shutdown()
        finally:
            gc.enable()


def _refusal(address: str | None, error: Exception) -> UserError:
    """Return the error for a Ray that does not start, or a cluster that does not answer."""
    lines = str(error).strip().splitlines()
    why = (lines[0] if lines else type(error).__name__).rstrip(". ")
    if address is not None:
        return UserError(
            f"{option('address', address)}: {why}. Does it run, with this version of Ray? If it was started "
            "with a token, set RAY_AUTH_MODE=token here; see docs/cluster.md"
        )
    cure = "'ulimit -a' shows limits of memory, processes and open files that may be too low"
    if isinstance(error, OSError) and f"{os.sep}.ray" in str(error.filename):
        cure = (
            "It keeps a token in the folder .ray of your home: set HOME to a folder that can be written to, "
            "or RAY_AUTH_TOKEN to a long secret of your own"
        )
    return UserError(f"Ray cannot start on this machine: {why}. {cure}")


@contextmanager
def _watched(on_head: Callable[[bool], None] | None) -> Iterator[None]:
    """Check in a thread that the head of the connected cluster still answers."""
    if on_head is None:
        yield
        return
    address = ray.get_runtime_context().gcs_address
    over = threading.Event()
    thread = threading.Thread(target=watch, args=(address, on_head, over), name="head", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def watch(address: str, on_head: Callable[[bool], None], over: threading.Event) -> None:
    """Report when a head stops answering, and when it answers again, until ``over`` is set."""
    answered = True
    while not over.wait(LOOKED_AFTER):
        answers = _unreachable(address) is None
        if answers != answered and not over.is_set():
            on_head(answers)
        answered = answers


def _require_reachable(address: str) -> None:
    """Refuse an address without a server within seconds; Ray alone would try for many minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise UserError(
            f"{option('address', address)}: should be HOST:PORT of the head, or auto on a node of the cluster"
        )
    if (error := _unreachable(address)) is not None:
        raise UserError(f"{option('address', address)}: no Ray cluster answers there: {error}") from None


def _unreachable(address: str) -> Exception | None:
    """Return the error of a connection to ``HOST:PORT``; ``None`` if it answers."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED).close()
    except (OSError, OverflowError, UnicodeError) as error:
        return error
    return None
