"""Signals that schedulers and closed terminals send stop a command as Ctrl-C does."""

import os
import signal
import time
from pathlib import Path

import pytest
import typer

from dcodr import console
from dcodr.config import Config, dump_config
from tests.test_command_line import run

STOPS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_signal_lets_a_command_tidy_up_and_tells_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    app, tidied = typer.Typer(), list[str]()
    before = {one: signal.getsignal(one) for one, _ in STOPS}

    @app.command()
    def command() -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except KeyboardInterrupt:
            tidied.append("tidied")
            raise

    done = run(app, [], tmp_path)
    assert (done.code, tidied) == (code, ["tidied"])
    assert "Traceback" not in done.err
    assert {one: signal.getsignal(one) for one, _ in STOPS} == before


def test_a_signal_that_comes_twice_at_once_counts_once_and_later_it_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, ended = typer.Typer(), list[int]()
    monkeypatch.setattr(os, "_exit", ended.append)

    @app.command()
    def command() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not ended
            monkeypatch.setattr(console, "AT_ONCE", 0.0)
            os.kill(os.getpid(), signal.SIGTERM)

    assert run(app, [], tmp_path).code == 143
    assert ended == [143]


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As under ``nohup``."""
    app = typer.Typer()

    @app.command()
    def command() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        print("went on")

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(app, [], tmp_path).out == "went on\n"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_training_that_is_stopped_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_config: Config
) -> None:
    (tmp_path / "tiny.yaml").write_text(dump_config(tiny_config))

    def stop(self: object, epoch: object) -> None:
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("dcodr.training.display.TrainingDisplay.on_epoch", stop)
    done = run("dcodr", ["train", "--config", "tiny.yaml", "--out", "out"], tmp_path)
    assert done.code == 143, done
    assert "Stopped; run the same command with --resume to continue." in done.out
    assert (tmp_path / "out" / "checkpoint.pt").is_file()
    again = ["train", "--config", "tiny.yaml", "--out", "out"]
    refused = run("dcodr", again, tmp_path)
    assert (refused.code, "already exists; give --resume" in refused.err) == (2, True)
    assert run("dcodr", [*again, "--resume"], tmp_path).code == 0
    assert (tmp_path / "out" / "validation.json").is_file()
