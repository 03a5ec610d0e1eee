"""Every disagreement between ledger, checkpoints and MLflow is named, and mended."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Metric
from rich.console import Console

from dcodr.errors import UserError
from tests.tuning.store import Store, figures
from tests.tuning.test_mirror import bring_all, check
from tests.tuning.trained import begin
from tuning import mirror
from tuning.doctor import consult, print_diagnosis
from tuning.driver_lock import driving
from tuning.search import Search
from tuning.storage import LEDGER
from tuning.tracking import Tracker

LEFT = ["FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED", "KILLED"]


class Patient:
    """A search that was stopped, all of it in MLflow."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.store = store
        self.tracker = Tracker(store.uri)
        begin(folder, self.tracker)
        self.search = Search.open(folder.name, folder.parent)
        bring_all(self.search, self.tracker)
        for record in self.search.ledger.records():
            if record.status == "running":
                self.tracker.set_status(self.run_id(record.number), "KILLED", {})
        mirror.close_parent(self.search, self.tracker)

    def run_id(self, number: int) -> str:
        (run,) = self.tracker.trial_runs(number)
        return run.run_id

    def ask(self, *, fix: bool = False, uri: str | None = None) -> tuple[bool, str]:
        """Whether all is well, and what was said."""
        said = io.StringIO()
        search = Search.open(self.search.name, self.search.folder.parent)
        console = Console(file=said, width=200)
        diagnosis = consult(search, uri, fix, console)
        print_diagnosis(diagnosis, console)
        return diagnosis.well, said.getvalue()


@pytest.fixture
def patient(store: Store, tmp_path: Path) -> Patient:
    return Patient(tmp_path / "s", store)


NOTE = (
    "- trial 005: the ledger knows 2 epochs, its checkpoint 0; "
    "it trains the rest again, to the same figures\n"
)


def test_a_healthy_search(patient: Patient) -> None:
    assert patient.ask() == (True, NOTE)
    assert patient.ask(fix=True) == (True, NOTE)
    check(patient.store, patient.tracker.search_id, patient.search, LEFT)


def stop_midway(patient: Patient) -> str:
    patient.tracker.set_status(patient.run_id(0), "RUNNING", {})
    return "trial 000: MLflow run .* lacks its status FINISHED"


def lose_a_run(patient: Patient) -> str:
    patient.tracker.discard(patient.run_id(1))
    return r"trial 001 \(pruned\): MLflow has no run of it"


def lose_params(patient: Patient) -> str:
    patient.tracker.discard(patient.run_id(2))
    patient.tracker.start_trial(2, "002", {}, {}, "")
    return "trial 002: MLflow run .* lacks settings, epochs 1, 2, 3, its status FINISHED, status 'infeasible'"


def falsify_params(patient: Patient) -> str:
    patient.tracker.discard(patient.run_id(2))
    patient.tracker.start_trial(2, "002", {"temperature": 0.1}, {}, "")
    return r"trial 002: MLflow run .* has temperature 0\.1, and the ledger 0\.\d+"


def open_twice(patient: Patient) -> str:
    patient.tracker.start_trial(3, "another", {"temperature": 0.1}, {}, "")
    return "trial 003: MLflow has another run of it"


def write_twice(patient: Patient) -> str:
    patient.store.client.log_batch(patient.run_id(4), [Metric("images_per_second", 10.0, 5, 1)])
    return "trial 004: MLflow run .* has figures twice, of epochs 1"


def write_elsewhere(patient: Patient) -> str:
    patient.tracker.log_epochs(patient.run_id(0), figures(9, images_per_second=1.0))
    return "trial 000: MLflow run .* has figures of epochs that the ledger does not know: 9"


def falsify(patient: Patient) -> str:
    patient.store.client.log_batch(patient.run_id(0), [Metric("invariance", 0.99, 2**42, 3)])
    return "trial 000: MLflow run .* has invariance 0.99, and the ledger 0.03"


def add_a_trial(patient: Patient) -> str:
    patient.tracker.start_trial(77, "077", {"temperature": 0.1}, {}, "")
    return "MLflow run .* is of a trial 077 that the ledger does not know"


def crash(patient: Patient) -> str:
    patient.tracker.set_status(patient.tracker.search_id, "RUNNING", {})
    return "the search is RUNNING in MLflow, and should be KILLED"


def cut_the_power(patient: Patient) -> str:
    with (patient.search.folder / LEDGER).open("a") as file:
        file.write('{"op_code": 8, "worker')
    return "ledger.log ends with 22 bytes of an entry that was not written whole"


def leave_a_checkpoint(patient: Patient) -> str:
    patient.search.checkpoints.mkdir()
    (patient.search.checkpoints / "003.pt").touch()
    return "003.pt is left over from a trial that has ended"


def damage_a_checkpoint(patient: Patient) -> str:
    patient.search.checkpoints.mkdir()
    (patient.search.checkpoints / "005.pt").write_bytes(b"PK")
    return "005.pt: damaged, or no checkpoint of dcodr"


@pytest.mark.parametrize(
    "harm",
    [
        stop_midway,
        lose_a_run,
        lose_params,
        falsify_params,
        open_twice,
        write_twice,
        write_elsewhere,
        falsify,
        add_a_trial,
        crash,
        cut_the_power,
        leave_a_checkpoint,
        damage_a_checkpoint,
    ],
)
def test_what_is_wrong_is_named_and_mended(harm: Callable[[Patient], str], patient: Patient) -> None:
    expected = harm(patient)
    well, said = patient.ask()
    assert not well
    assert [line for line in said.splitlines() if line != NOTE.strip()][1:] == [
        "1 to mend: the same command with --fix does."
    ]
    assert re.search(expected, said)
    well, said = patient.ask(fix=True)
    assert well, said
    assert "Mended 1" in said
    assert patient.ask() == (True, NOTE)
    check(patient.store, patient.tracker.search_id, patient.search, LEFT)
    assert not list(patient.search.checkpoints.glob("*"))


def test_all_of_a_search_is_written_to_another_store(patient: Patient, tmp_path: Path) -> None:
    other = Store(tmp_path)
    well, said = patient.ask(uri=other.uri)
    assert not well
    assert f"has no run {patient.tracker.search_id} of the search" in said
    assert patient.ask(fix=True, uri=other.uri)[0]
    assert patient.ask() == (True, NOTE)
    search = Search.open(patient.search.name, patient.search.folder.parent)
    parent = search.ledger.facts()["run_id"]
    runs = {int(run.data.tags["trial"]): run.info.status for run in other.children(parent)}
    assert [runs[number] for number in range(6)] == LEFT
    assert other.client.get_run(parent).info.status == "KILLED"


def test_a_running_search_and_an_unknown_store_are_refused(patient: Patient, tmp_path: Path) -> None:
    with driving(patient.search.folder), pytest.raises(UserError, match="is running already"):
        patient.ask()
    with pytest.raises(UserError, match="there is no file"):
        patient.ask(uri=f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_secrets_are_not_kept_and_asked_for(patient: Patient) -> None:
    patient.search.ledger.remember("tracking_uri", "https://me:***@mlflow.example.org")
    with pytest.raises(UserError, match=r"--tracking-uri: https://me:.* give it again"):
        patient.ask()
