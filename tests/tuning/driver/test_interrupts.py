"""Ctrl-C, and signals like it, wait for the end of a write."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from tuning.interrupts import STOPS, handlers_kept, undisturbed


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_takes_effect_behind_what_is_undisturbed() -> None:
    done: list[str] = []

    @undisturbed()
    def write() -> None:
        press_ctrl_c()
        press_ctrl_c()
        done.append("written")

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            write()
    assert done == ["written", "written"]


def test_without_an_interrupt_nothing_happens_and_the_handler_is_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_a_handled_signal_is_handled_behind_and_an_ignored_one_not_at_all() -> None:
    came: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append("handled"))
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            press_ctrl_c()
            came.append("written")
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    assert came == ["written", "handled"]


def test_handlers_are_kept_from_a_library_that_sets_its_own() -> None:
    """Ray does, and an SIGHUP that comes meanwhile is not lost."""
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, frame: came.append(number)) for one in STOPS}
    try:
        with handlers_kept():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
            assert came == []
            child = subprocess.run(
                [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGHUP)"], check=False
            )
        assert child.returncode == 0
        assert came == [signal.SIGHUP]
        os.kill(os.getpid(), signal.SIGTERM)
        assert came == [signal.SIGHUP, signal.SIGTERM]
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_other_threads_may_be_undisturbed_too() -> None:
    results: list[int] = []

    @undisturbed()
    def write() -> None:
        results.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert results == [1]
