"""Searches in processes of their own, to be killed, and what is to be found of them afterwards."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from tuning.ledger.trials import TrialRecord
from tuning.results.search import Search
from tuning.tracking.doctor import consult, print_diagnosis

ROOT = Path(__file__).parents[2]
QUICK = ROOT / "search_spaces" / "quick.yaml"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so, and fail if it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def runs_of(client: MlflowClient, search: Search) -> dict[int, Run]:
    """Return the MLflow run of every trial; there is one of each."""
    parent = client.get_run(search.ledger.facts()["run_id"])
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    runs = client.search_runs([parent.info.experiment_id], query, max_results=1000)
    by_trial = {int(run.data.tags["trial"]): run for run in runs}
    assert len(by_trial) == len(runs)
    return by_trial


def statuses(client: MlflowClient, search: Search) -> tuple[str, list[str]]:
    """Status of the parent run, and of every trial's."""
    parent = client.get_run(search.ledger.facts()["run_id"])
    return parent.info.status, [run.info.status for _, run in sorted(runs_of(client, search).items())]


class Driver:
    """A search of three epochs a trial, run by one process after the other.

    Args:
        folder: Working folder of the processes.
        store: The dataset.
        trials: How many trials it ends with.
        words: More of the command line.
        before: What starts the command, e.g. ``unshare``.

    Attributes:
        store: The dataset.
        storage: The folder of the search's folder.
        address: The Ray cluster that the next process runs on, if not on this machine alone.
    """

    def __init__(
        self, folder: Path, store: Path, trials: int, *words: str, before: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.store = store
        self.storage = folder / "runs"
        self.trials = trials
        self.words = [*before, sys.executable, str(ROOT / "tune.py"), "--space", str(QUICK)]
        self.words += ["--data", str(store), "--set", "epochs=3", *words]
        self.address: str | None = None
        self.env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process: subprocess.Popen[str] | None = None

    def start(self, trials: int | None = None) -> None:
        """Begin the search, or continue it."""
        words = [*self.words, "--trials", str(trials or self.trials)]
        if self.begun:
            words.append("--resume")
        if self.address is not None:
            words += ["--address", self.address]
        self.process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, seconds: float = 300) -> tuple[int, str]:
        """Wait for the process: its exit code, and what it printed."""
        assert self.process is not None
        printed, _ = self.process.communicate(timeout=seconds)
        code, self.process = self.process.returncode, None
        return code, printed

    def stop(self) -> None:
        """End the process, if it is still there."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process is not None
        return self.process.pid

    @property
    def begun(self) -> bool:
        """Return whether the search exists."""
        return (self.storage / "quick" / "ledger.log").is_file()

    def search(self) -> Search:
        """Return the search as it is now."""
        return Search.open("quick", self.storage)

    def records(self) -> list[TrialRecord]:
        """Its trials as they are now."""
        return self.search().ledger.records() if self.begun else []

    def ended(self) -> dict[int, TrialRecord]:
        """Return the trials that have ended."""
        return {record.number: record for record in self.records() if record.status != "running"}

    def epochs(self) -> int:
        """Return the number of recorded epochs."""
        return sum(record.epoch for record in self.records())

    def await_epochs(self, more: int, seconds: float = 300) -> None:
        """Wait until more epochs have been recorded."""
        enough = self.epochs() + more

        def reached() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended too early:\n{self.end()[1]}"
            return self.epochs() >= enough

        wait_for(reached, seconds)

    def mirrored(self, uri: str) -> int:
        """Return the number of epochs in MLflow."""
        client = MlflowClient(uri)
        runs = runs_of(client, self.search()).values()
        return sum(len(client.get_metric_history(run.info.run_id, "train/images_per_second")) for run in runs)

    def check_whole(self, uri: str | None = None) -> None:
        """All trials, each with one finished run that has every epoch once, and nothing left over."""
        search = self.search()
        trials = search.trials()
        assert [trial.number for trial in trials] == list(range(self.trials))
        assert {trial.status for trial in trials} <= {"complete", "infeasible"}
        assert [trial.paper for trial in trials] == [True] + [False] * (self.trials - 1)
        assert {trial.state.name for trial in search.ledger.study.trials} <= {"COMPLETE", "PRUNED"}
        client = MlflowClient(uri or f"sqlite:///{self.storage / 'mlflow.db'}")
        assert statuses(client, search) == ("FINISHED", ["FINISHED"] * self.trials)
        for number, run in runs_of(client, search).items():
            history = client.get_metric_history(run.info.run_id, "train/images_per_second")
            assert [metric.step for metric in history] == list(range(1, trials[number].epoch + 1))
        assert not list(search.checkpoints.glob("*"))
        diagnosis = consult(search, uri, False, Console(quiet=True))
        assert diagnosis.well, diagnosis.facts()


def mend(driver: Driver, uri: str | None = None) -> str:
    """Have the doctor mend what is wrong; returns what it said."""
    said = io.StringIO()
    console = Console(file=said, width=200)
    print_diagnosis(consult(driver.search(), uri, True, console), console)
    return said.getvalue()


def trials_of(driver: int) -> list[int]:
    """Processes that train for a driver, by /proc: its descendants that Ray has named so."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes()

    def descends(pid: int) -> bool:
        return pid == driver or (pid in parents and descends(parents[pid]))

    return [pid for pid, name in names.items() if name.startswith(b"ray::ImplicitFunc") and descends(pid)]
