"""A process's time with Ray."""

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

from dcodr.errors import UserError
from tuning.cluster.machine import cpus_here, lacking
from tuning.interrupts import handlers_kept

REACHED = 10.0
"""Seconds that a head has to answer."""
LOOKED_AFTER = 5.0
"""Seconds between two looks at whether the head is still there."""
OBJECT_STORE = 100_000_000
"""Bytes of shared memory for Ray on this machine: trials hand over figures only. Its default, a third of the
memory, is more than a container's /dev/shm or a limit of address space allows."""
LONGEST_SOCKET = 107
"""Most bytes of a Unix socket's path."""
SOCKET = "session_2026-12-31_23-59-59_999999_4194304/sockets/plasma_store"
"""The longest socket of Ray, in its folder."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")
"""Places where a folder for Ray is made, if its usual one cannot serve."""

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""Ray writes no logs of its own beside ours; a report without some figure is no error; Ctrl-C reaches us."""

SILENT = logging.CRITICAL + 1
"""Ray prints a traceback of whatever a trial, a callback or a disk raises, and hands it to us as well."""

WORKERS = {"MALLOC_ARENA_MAX": "1"}
"""A trial is a new thread of its worker, for which glibc would keep memory apart: gigabytes in the end."""


@contextmanager
def ray_session(
    address: str | None, verbose: bool = False, on_head: Callable[[bool], None] | None = None
) -> Iterator[None]:
    """Ray, on this machine or a cluster.

    Args:
        address: ``auto`` or ``HOST:PORT`` of the cluster's head; ``None`` for this machine alone.
        verbose: Whether Ray's own messages and what workers print are shown.
        on_head: Called in another thread when the head of a cluster does not answer any more (``False``),
            and when it does again. Ray waits a minute for it and then ends this process.

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
    """The folder for the sockets and logs of a Ray on this machine: its usual one, if that can serve.

    Else it is a new one with a short path, which goes at the end.

    Raises:
        UserError: If there is none that can serve.
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
    """Why a folder cannot be Ray's, if so."""
    if not folder.is_absolute():
        return f"{folder} is not an absolute path"
    if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
        return f"{folder} is too long a path for sockets"
    return lacking(next(path for path in (folder, *folder.parents) if path.exists()))


@contextmanager
def _connected(where: Mapping[str, Any], address: str | None, verbose: bool) -> Iterator[None]:
    """Ray as :func:`ray.init` gives it."""
    try:
        with handlers_kept():
            ray.init(
                **where,
                include_dashboard=False,
                runtime_env={"env_vars": WORKERS},
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else SILENT,
            )
    except Exception as error:  # Ray has no kind of its own for it
        ray.shutdown()
        raise _refusal(address, error) from error
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


def _refusal(address: str | None, error: Exception) -> UserError:
    """Return what to tell of a Ray that does not start, or a cluster that does not answer."""
    lines = str(error).strip().splitlines()
    why = (lines[0] if lines else type(error).__name__).rstrip(". ")
    if address is not None:
        return UserError(
            f"--address {address}: {why}. Does it run, with this version of Ray? If it was started with "
            "a token, set RAY_AUTH_MODE=token here; see docs/cluster.md"
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
    """Look, in a thread, whether the head of the connected cluster still answers."""
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
    """Tell when a head stops to answer, and when it does again.

    Args:
        address: Its ``HOST:PORT``.
        on_head: Called with whether it answers, whenever that changes.
        over: Ends this.
    """
    answered = True
    while not over.wait(LOOKED_AFTER):
        answers = _unreachable(address) is None
        if answers != answered and not over.is_set():
            on_head(answers)
        answered = answers


def _require_reachable(address: str) -> None:
    """Refuse an address that nobody listens at, within seconds; Ray alone would try for many minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise UserError(
            f"--address {address}: should be HOST:PORT of the head, or auto on a node of the cluster"
        )
    if (error := _unreachable(address)) is not None:
        raise UserError(f"--address {address}: nobody answers there: {error}") from None


def _unreachable(address: str) -> Exception | None:
    """Why nobody answers at ``HOST:PORT``, if so."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED).close()
    except (OSError, OverflowError) as error:
        return error
    return None
