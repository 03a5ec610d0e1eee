"""Ctrl-C waits for the end of a write."""

import os
import signal
import threading

import pytest

from tuning.interrupts import undisturbed


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


def test_other_threads_may_be_undisturbed_too() -> None:
    results: list[int] = []

    @undisturbed()
    def write() -> None:
        results.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert results == [1]
