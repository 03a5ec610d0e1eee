"""Ctrl-C and signals like it, kept from falling into the middle of a write."""

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
    """Let what is within end before a signal takes effect; serves as a decorator too.

    A ``KeyboardInterrupt`` inside a database driver may be swallowed there, or leave its lock held. The
    signal is handled behind, once. Signals that are ignored, or that end the process on the spot, do so as
    before. In another thread than the main one, which Python never interrupts, nothing changes.
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
    """Let Ctrl-C end the process on the spot while an interrupted search is tidied up: nothing is lost."""
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
    """Keep our handlers of signals while Ray starts or ends, and SIGHUP from the processes that it starts.

    Ray handles SIGTERM itself as it starts, and not at all once it has ended, both behind Python's back. A
    terminal that is closed signals all processes begun there, and Ray's have to outlive the driver.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
