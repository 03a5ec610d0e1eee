"""Protection of writes from Ctrl-C and other signals that stop a search."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that stop a search: Ctrl-C, a scheduler, a closed terminal; see :func:`dcodr.console.run`."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Delay signals until the end of a ``with`` block; usable as a decorator too.

    A ``KeyboardInterrupt`` inside a database driver may be swallowed there, or may leave its lock held. The
    first signal is handled after the block, once. Ignored signals, and signals that end the process at once,
    keep their effect. In other threads than the main one, which Python never interrupts, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.getsignal(number) for number in STOPS}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in before:
        signal.signal(number, remember)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            before[signal.Signals(came[0])](came[0], None)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once while an interrupted search is tidied up: nothing is lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Keep our signal handlers while Ray starts or ends, and block SIGHUP in the processes that Ray starts.

    Ray installs its own SIGTERM handler when it starts and leaves SIGTERM without a handler when it ends,
    both without Python's knowledge. A closed terminal signals all processes that were started there, and
    Ray's processes have to outlive the driver.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    # Child processes inherit the mask of blocked signals.
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
