"""Inject faults into real searches, a hundred by default, and count what they cost.

    python -m tests.faults.soak
    python -m tests.faults.soak --each 2 --only "a worker"

Every kind of fault has a search of its own, with its tracking on a real MLflow server, and is injected at
random moments of it. Then the search is brought to its end, and ledger, checkpoints and MLflow are compared.
Prints the table of docs/reliability.md; progress goes to standard error. Exit code 1 if anything was lost.
"""

import argparse
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import ray
from mlflow import MlflowClient

from dcodr.data.prepare import prepare_synthetic
from tests.faults.searching import Driver, mend, trials_of, wait_for
from tests.faults.server import MlflowServer
from tests.tuning.cluster.two_nodes import Nodes
from tuning.ledger.trials import TrialRecord

ENDLESS = 10_000
FIRST = 6.0
"""Seconds of a search in which it is stopped as it begins."""
AWAY = 8.0
"""Seconds for which a server is away, a database is locked or a disk is full."""


@dataclass
class Site:
    """The place of a search: its driver, store, server and nodes.

    Attributes:
        driver: The search.
        store: Its dataset.
        server: Its MLflow; none where it has a database of its own.
        nodes: Its cluster, if it has one.
    """

    driver: Driver
    store: Path
    server: MlflowServer | None
    nodes: Nodes | None = None

    def move(self, nodes: Nodes) -> None:
        """Have the search run on a cluster from its next start on."""
        self.nodes = nodes
        self.driver.address = nodes.address
        self.driver.env |= nodes.env


def kill_driver(site: Site) -> None:
    """``kill -9`` of the driver."""
    os.kill(site.driver.pid, signal.SIGKILL)
    site.driver.end()


def interrupt(site: Site) -> None:
    """Ctrl-C."""
    os.kill(site.driver.pid, signal.SIGINT)
    site.driver.end()


def interrupt_twice(site: Site) -> None:
    """Ctrl-C, and once more within two seconds."""
    os.kill(site.driver.pid, signal.SIGINT)
    time.sleep(random.uniform(0.1, 2))
    if site.driver.process is not None and site.driver.process.poll() is None:
        os.kill(site.driver.pid, signal.SIGINT)
    site.driver.end()


def kill_worker(site: Site) -> None:
    """``kill -9`` of the process that trains."""
    victims: list[int] = []

    def found() -> bool:
        victims.extend(trials_of(site.driver.pid))
        return bool(victims)

    wait_for(found)
    os.kill(victims[0], signal.SIGKILL)


def remove_node(site: Site) -> None:
    """``kill -9`` of one of two nodes, with all its processes; a new one joins."""
    assert site.nodes is not None
    site.nodes.remove()
    site.nodes.add()


def lose_head(site: Site) -> None:
    """``kill -9`` of a cluster's head, with all its processes; the search continues on a new cluster."""
    assert site.nodes is not None
    site.nodes.lose_head()
    code, printed = site.driver.end()
    assert (code, "Traceback" in printed) == (1, False), printed
    assert "Nothing that was finished is lost" in printed, printed
    assert "--name quick --resume" in printed, printed
    site.nodes.stop()
    site.move(Nodes(site.driver.folder / uuid4().hex))


def stop_server(site: Site) -> None:
    """End the MLflow server, and start it again after a while."""
    assert site.server is not None
    site.server.stop()
    time.sleep(AWAY)
    site.server.start()


def lock_database(site: Site) -> None:
    """Another process holds the lock of the tracking database."""
    assert site.server is not None
    with closing(sqlite3.connect(site.server.database, isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(AWAY)
        database.execute("ROLLBACK")


def fill_disk(site: Site) -> None:
    """Fill the file system of the checkpoints for a while."""
    folder = site.driver.search().checkpoints
    if not os.path.ismount(folder):
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], check=True)
    filler = folder.parent / "checkpoints" / ".filler.tmp"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(b"0" * 2**16):
                pass
    except OSError:
        time.sleep(AWAY)
    filler.unlink()


def damage_checkpoints(site: Site) -> None:
    """``kill -9`` of the driver; the newest checkpoint of every running trial loses its second half."""
    kill_driver(site)
    for path in site.driver.search().checkpoints.glob("[0-9][0-9][0-9].pt"):
        os.truncate(path, path.stat().st_size // 2)


def cut_power(site: Site) -> None:
    """``kill -9`` of the driver; its ledger ends in the middle of an entry."""
    kill_driver(site)
    ledger = site.driver.storage / "quick" / "ledger.log"
    last = ledger.read_bytes().splitlines()[-1]
    with ledger.open("ab") as file:
        file.write(last[: random.randrange(1, len(last))])


def damage_dataset(site: Site) -> None:
    """``kill -9`` of the driver; going on is refused while bytes of the HDF5 file are wrong."""
    kill_driver(site)
    whole = site.store.read_bytes()
    spoilt = bytearray(whole)
    at = random.randrange(len(whole) // 4, len(whole) - 5000)
    spoilt[at : at + 4096] = random.randbytes(4096)
    site.store.write_bytes(spoilt)
    site.driver.start()
    code, printed = site.driver.end()
    assert (code, "Traceback" in printed) == (2, False), printed
    site.store.write_bytes(whole)


def stop_beginning(site: Site) -> None:
    """SIGTERM, Ctrl-C, SIGHUP or `kill -9` in the first seconds, twice in each of as many new searches."""
    wait_for(site.driver.storage.exists, 300)
    time.sleep(random.uniform(0, FIRST))
    number = random.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL))
    if site.driver.process is not None and site.driver.process.poll() is None:
        os.kill(site.driver.pid, number)
    code, _ = site.driver.end()
    tell(f"{signal.Signals(number).name}: exit code {code}")


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: What it is.
        inject: Does it, and undoes it where it lasts for a while.
    """

    name: str
    inject: Callable[[Site], None]


FAULTS = [
    Fault("a search is stopped as it begins", stop_beginning),
    Fault("the driver is killed", kill_driver),
    Fault("Ctrl-C", interrupt),
    Fault("Ctrl-C twice", interrupt_twice),
    Fault("a worker is killed", kill_worker),
    Fault("a node is lost", remove_node),
    Fault("a cluster's head is lost", lose_head),
    Fault("the MLflow server is away", stop_server),
    Fault("the tracking database is locked", lock_database),
    Fault("the disk is full", fill_disk),
    Fault("checkpoints are cut short", damage_checkpoints),
    Fault("the ledger is cut short", cut_power),
    Fault("the dataset is damaged", damage_dataset),
]


@dataclass
class Row:
    """Results for a kind of fault.

    Attributes:
        fault: The kind.
        times: How often it was injected.
        lost: Trials that had ended and are not as they were.
        twice: MLflow runs and epochs that are there more than once.
        running: Records and runs left RUNNING, in the end.
        amiss: Whether the doctor found anything in the end.
        seconds: From each fault, or from the command that continues, to the next recorded epoch.
        trials: Trials of the search.
    """

    fault: Fault
    times: int
    lost: int
    twice: int
    running: int
    amiss: bool
    seconds: list[float]
    trials: int

    def __str__(self) -> str:
        how = (self.fault.inject.__doc__ or "").strip().rstrip(".")
        middle, most = statistics.median(self.seconds or [0]), max(self.seconds or [0])
        cells = [self.fault.name, how, self.times, self.trials, self.lost, self.twice, self.running]
        cells += ["something" if self.amiss else "nothing", f"{middle:.1f} (at most {most:.1f})"]
        return f"| {' | '.join(map(str, cells))} |"


COLUMNS = (
    "fault",
    "how it is injected",
    "times",
    "trials",
    "finished lost",
    "duplicates",
    "left RUNNING",
    "doctor finds",
    "seconds to recover",
)


def soak(fault: Fault, times: int, folder: Path) -> Row:
    """Inject one kind of fault into a search, and bring that to its end."""
    store = folder / "tiny.h5"
    prepare_synthetic(store, 400)
    if fault.inject is stop_beginning:
        return _soak_beginnings(fault, times, store)
    with MlflowServer(folder / "server") as server:
        site = Site(Driver(folder, store, ENDLESS, "--tracking-uri", server.uri), store, server)
        if fault.inject in (remove_node, lose_head):
            site.move(Nodes(folder / "nodes"))
        try:
            return _soak(fault, times, site)
        finally:
            site.driver.stop()
            if site.nodes is not None:
                site.nodes.stop()
            if os.path.ismount(checkpoints := site.driver.storage / "quick" / "checkpoints"):
                subprocess.run(["umount", str(checkpoints)], check=True)


def _soak_beginnings(fault: Fault, times: int, store: Path) -> Row:
    """Stop new searches as they begin, each with a new MLflow database, and bring them to their ends."""
    row = Row(fault, times, 0, 0, 0, False, [], 0)
    for time_ in range(times):
        folder = store.parent / str(time_)
        folder.mkdir()
        driver = Driver(folder, store, 4)
        site = Site(driver, store, None)
        try:
            for _ in range(2):
                driver.start()
                stop_beginning(site)
            before = driver.ended()
            began = time.monotonic()
            driver.start()
            if len(before) < driver.trials:
                driver.await_epochs(1, 600)
            row.seconds.append(time.monotonic() - began)
            code, printed = driver.end(900)
            assert code == 0, printed
            uri = f"sqlite:///{driver.storage / 'mlflow.db'}"
            twice, running = count(driver, uri)
            row.lost += changed(before, driver.ended())
            row.twice, row.running = row.twice + twice, row.running + running
            row.trials += len(driver.search().trials())
            said = mend(driver)
        except AssertionError as error:
            said = f"stuck: {error}"
        finally:
            driver.stop()
        if "agree on" not in said.splitlines()[0]:
            row.amiss = True
            tell(said)
        tell(f"{fault.name}: {time_ + 1} of {times}")
    return row


def _soak(fault: Fault, times: int, site: Site) -> Row:
    assert site.server is not None
    driver, lost, seconds = site.driver, 0, list[float]()
    driver.start()
    for time_ in range(times):
        driver.await_epochs(2)
        time.sleep(random.uniform(0, 1.5))
        before = driver.ended()
        fault.inject(site)
        began = time.monotonic()
        if driver.process is None:
            driver.start()
        driver.await_epochs(1)
        seconds.append(time.monotonic() - began)
        lost += changed(before, driver.ended())
        tell(f"{fault.name}: {time_ + 1} of {times}, recovered in {seconds[-1]:.1f} s")
    driver.await_epochs(1)
    interrupt(site)
    before = driver.ended()
    driver.trials = len(driver.search().trials())
    driver.start()
    code, printed = driver.end()
    assert code == 0, printed
    lost += changed(before, driver.ended())
    twice, running = count(driver, site.server.uri)
    said = mend(driver, site.server.uri)
    if amiss := "agree on" not in said.splitlines()[0]:
        tell(said)
    return Row(fault, times, lost, twice, running, amiss, seconds, driver.trials)


def changed(before: Mapping[int, TrialRecord], after: Mapping[int, TrialRecord]) -> int:
    """Count trials that had ended and are not as they were, but for metrics on the test images.

    The end of a search measures the best of them on those.
    """
    lost = 0
    for number, record in before.items():
        now = after.get(number)
        if now is None or replace(now, test=record.test) != record:
            tell(f"trial {number:03d} was {record} and is {now}")
            lost += 1
    return lost


def count(driver: Driver, uri: str) -> tuple[int, int]:
    """Count repeated records in MLflow, and trials left RUNNING in MLflow and in the ledger."""
    search, client = driver.search(), MlflowClient(uri)
    parent = client.get_run(search.ledger.facts()["run_id"])
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    runs = client.search_runs([parent.info.experiment_id], query, max_results=5000)
    twice = len(runs) - len({run.data.tags["trial"] for run in runs})
    for run in runs:
        steps = [
            point.step for point in client.get_metric_history(run.info.run_id, "train/images_per_second")
        ]
        twice += len(steps) - len(set(steps))
    running = sum(run.info.status == "RUNNING" for run in [parent, *runs])
    running += sum(trial.state.name in ("RUNNING", "WAITING") for trial in search.ledger.study.trials)
    return twice, running


def tell(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run all kinds of faults and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=10, help="faults of each kind")
    parser.add_argument("--only", default="", help="kinds whose names have this in them")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    random.seed(options.seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has Ctrl-C ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and one under nohup SIGHUP
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    well = True
    for fault in FAULTS:
        if options.only not in fault.name:
            continue
        if fault.inject is fill_disk and os.geteuid() != 0:
            tell(f"{fault.name}: not injected, as it takes root to mount a small file system")
            continue
        with tempfile.TemporaryDirectory(prefix="soak-") as name:
            row = soak(fault, options.each, Path(name))
        print(row, flush=True)
        well = well and not (row.lost or row.twice or row.running or row.amiss)
    ray.shutdown()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
