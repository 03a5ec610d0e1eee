"""Every disagreement between ledger, checkpoints and MLflow is named, and mended."""

import io
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from rich.console import Console

from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from tests.tuning.store import Store, fresh, metrics
from tests.tuning.tracking.test_mirror import bring_all, check
from tests.tuning.trained import begin
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import kept_of
from tuning.results.export import export
from tuning.results.final_metrics import unmeasured
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.tracking import mirror
from tuning.tracking.doctor import consult, print_diagnosis
from tuning.tracking.encoders import register, taken
from tuning.tracking.metrics import FORM
from tuning.tracking.registry import Registry
from tuning.tracking.store import DiscreetClient, add_artifacts, default_uri
from tuning.tracking.tracker import Tracker

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
        """Return whether all is well, and the printed text."""
        said = io.StringIO()
        search = Search.open(self.search.name, self.search.folder.parent)
        console = Console(file=said, width=200)
        diagnosis = consult(search, uri, fix, console)
        print_diagnosis(diagnosis, console)
        return diagnosis.well, said.getvalue()


@pytest.fixture(scope="module")
def patient(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """One for all tests that leave it as healthy as it was."""
    return Patient(tmp_path_factory.mktemp("patient") / "s", store)


@pytest.fixture
def changed(store: Store, tmp_path: Path) -> Patient:
    """One for a test that does not."""
    return Patient(tmp_path / "s", store)


NOTE = (
    "- trial 005: the ledger has 2 epochs, the checkpoint only 0; "
    "the missing ones are trained again, with the same metrics\n"
    "- the search was interrupted; run its command again with --name s --resume\n"
)


def test_a_healthy_search(patient: Patient) -> None:
    assert patient.ask() == (True, NOTE)
    assert patient.ask(fix=True) == (True, NOTE)
    check(patient.store, patient.tracker.search_id, patient.search, LEFT)


def test_runs_that_a_user_nests_in_the_search_are_left_alone(changed: Patient) -> None:
    tracker = changed.tracker
    parent = tracker.client.get_run(tracker.search_id)
    tags = {"mlflow.parentRunId": tracker.search_id, "mlflow.runName": "mine"}
    tracker.client.create_run(parent.info.experiment_id, tags=tags)
    assert changed.ask() == (True, NOTE)


def test_an_mlflow_that_fails_while_it_is_compared_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> list[Any]:
        raise MlflowException("the server is gone")

    monkeypatch.setattr(Tracker, "trial_runs", failing)
    with pytest.raises(UserError, match="the server is gone"):
        patient.ask()


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
    patient.store.client.log_batch(patient.run_id(4), [Metric("train/images_per_second", 10.0, 5, 1)])
    return "trial 004: MLflow run .* has metrics twice, of epochs 1"


def write_elsewhere(patient: Patient) -> str:
    patient.tracker.log_epochs(patient.run_id(0), metrics(9, **{"train/images_per_second": 1.0}))
    return "trial 000: MLflow run .* has metrics of epochs that the ledger does not know: 9"


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
    patient.search.checkpoints.mkdir(exist_ok=True)
    (patient.search.checkpoints / "003.pt").touch()
    return "003.pt is left over from a trial that has ended"


def damage_a_checkpoint(patient: Patient) -> str:
    patient.search.checkpoints.mkdir(exist_ok=True)
    (patient.search.checkpoints / "005.pt").write_bytes(b"PK")
    return "005.pt: damaged, or not a checkpoint of dcodr"


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
    assert [line for line in said.splitlines() if line not in NOTE.splitlines()][1:] == [
        "1 to repair: run the same command with --fix."
    ]
    assert re.search(expected, said)
    well, said = patient.ask(fix=True)
    assert well, said
    assert "Repaired 1" in said
    assert patient.ask() == (True, NOTE)
    check(patient.store, patient.tracker.search_id, patient.search, LEFT)
    assert not list(patient.search.checkpoints.glob("*"))


class Finished(Patient):
    """A search that has ended, whose encoders are kept and registered."""

    def __init__(self, folder: Path, store: Store) -> None:
        super().__init__(folder, store)
        space, ledger = self.search.space, self.search.ledger
        ledger.ready(
            SpaceSampler, space.model_copy(update={"search": space.search.model_copy(update={"trials": 5})})
        )
        Queue(ledger).begin()
        ledger.end(5, full_budget=False)
        ledger.remember("ended", "all 5 trials are done")
        (kept,) = self.search.front()
        for trial in unmeasured(self.search.results()):
            ledger.note_test(trial.number, dict.fromkeys(space.objectives, 0.5))
        kept_of(folder, kept.number).mkdir(parents=True)
        (kept_of(folder, kept.number) / CHECKPOINT).touch()
        assert self.ask(fix=True)[0]

    @property
    def versions(self) -> list[str]:
        """The versions of its model."""
        return [version.version for version in Registry(self.tracker).versions(self.search.name)]


def save_quickly(checkpoint: Path, folder: Path) -> str:
    """In place of an encoder, whose export takes ten seconds."""
    folder.mkdir(parents=True)
    (folder / "MLmodel").touch()
    return "0" * 64


@pytest.fixture(scope="module")
def finished(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """One for all tests that mend what they break."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuning.tracking.encoders.save", save_quickly)
        yield Finished(tmp_path_factory.mktemp("finished") / uuid4().hex, store)


def lose_exports(finished: Finished) -> str:
    shutil.rmtree(finished.search.folder / "configs")
    return f"configs lacks {finished.search.name}-000.yaml"


def keep_an_old_export(finished: Finished) -> str:
    """As a process that is killed between the confirmations and the export."""
    export(finished.search.results(), "trial:1", finished.search.folder / "configs")
    return f"configs has configs of trials that are not on the front: {finished.search.name}-001.yaml"


def lose_a_rank(finished: Finished) -> str:
    run = next(run for run in finished.tracker.trial_runs() if run.tags.get("rank") == "1")
    finished.store.client.delete_tag(run.run_id, "rank")
    return f"MLflow's tags of front and rank are missing or old: of trials {run.number:03d}"


def lose_an_alias(finished: Finished) -> str:
    """As a process that is killed between a version and its alias."""
    finished.store.client.delete_registered_model_alias(finished.search.name, "knee")
    return f"MLflow's registered model {finished.search.name} lacks knee"


def lose_the_model(finished: Finished) -> str:
    finished.store.client.delete_registered_model(finished.search.name)
    return f"MLflow's registered model {finished.search.name} lacks knee, most-invariant, most-informative"


def double_a_version(finished: Finished) -> str:
    client, name = finished.store.client, finished.search.name
    known = client.get_model_version_by_alias(name, "knee")
    again = client.create_model_version(name, str(known.source), known.run_id, tags=known.tags)
    return f"MLflow has another version of the model {name} for the same trial and alias, {again.version}"


def replace_a_version(finished: Finished) -> str:
    """As two processes that register at once: the alias points to the later version."""
    client, name = finished.store.client, finished.search.name
    known = client.get_model_version_by_alias(name, "knee")
    again = client.create_model_version(name, str(known.source), known.run_id, tags=known.tags)
    client.set_registered_model_alias(name, "knee", again.version)
    return f"MLflow has another version of the model {name} for the same trial and alias, {known.version}"


def double_the_search(finished: Finished) -> str:
    client, search = finished.store.client, finished.search
    parent = client.get_run(search.ledger.facts()["run_id"])
    tags = {"search_id": search.identity}
    twin = client.create_run(parent.info.experiment_id, tags=tags).info.run_id
    child = {"mlflow.parentRunId": twin, "trial": "0"}
    client.create_run(parent.info.experiment_id, tags=child)
    client.set_terminated(twin, "FINISHED")
    return f"MLflow has another run of the whole search, {twin}"


def forget_the_end(finished: Finished) -> str:
    """As a process that is killed between the last trial's end and that of the search."""
    finished.search.ledger.remember("ended", None)
    return "all trials have ended, but the ledger does not say that the search has ended"


@pytest.mark.parametrize(
    "harm",
    [
        lose_exports,
        keep_an_old_export,
        lose_a_rank,
        lose_an_alias,
        lose_the_model,
        double_a_version,
        replace_a_version,
        double_the_search,
        forget_the_end,
    ],
)
def test_what_a_finished_search_lacks_is_named_and_mended(
    harm: Callable[[Finished], str], finished: Finished
) -> None:
    parent = finished.search.ledger.facts()["run_id"]
    assert finished.ask() == (True, "Ledger, checkpoints and MLflow agree on 6 trials.\n")
    expected = harm(finished)
    well, said = finished.ask()
    assert not well
    assert re.search(expected, said), said
    well, said = finished.ask(fix=True)
    assert well, said
    assert finished.ask()[0]
    check(finished.store, parent, finished.search, [*LEFT[:5], "FINISHED"])
    assert finished.store.client.get_run(parent).info.status == "FINISHED"
    assert finished.tracker.parents(finished.search.identity) == [parent]
    assert len(finished.versions) == 3
    aliases = finished.store.client.get_registered_model(finished.search.name).aliases
    assert set(aliases) == {"knee", "most-invariant", "most-informative"}
    assert (finished.search.folder / "configs" / f"{finished.search.name}-000.yaml").is_file()


def test_the_model_of_another_search_keeps_its_aliases(finished: Finished, tmp_path: Path) -> None:
    name, client = finished.search.name, finished.store.client
    before = client.get_registered_model(name).aliases
    other = Finished(tmp_path / name, finished.store)
    of = f"registered model '{name}' is of another search, {finished.search.folder} (run "
    well, said = other.ask()
    assert well
    assert of in said
    (told,) = register(other.search, other.tracker)
    assert of in told
    assert client.get_registered_model(name).aliases == before
    renamed = other.search.folder.rename(tmp_path / uuid4().hex)
    other.search = Search.open(renamed.name, tmp_path)
    assert other.ask(fix=True)[0]
    assert set(client.get_registered_model(renamed.name).aliases) == set(before)
    assert of not in other.ask()[1]


def test_a_new_search_replaces_the_models_of_one_that_was_deleted(finished: Finished, tmp_path: Path) -> None:
    tracker, folder = finished.tracker, finished.search.folder
    assert taken(tracker, folder) is None, "the folder of the old search has a new one"
    assert taken(tracker, tmp_path / folder.name, finished.search.identity) is None, "the folder was moved"
    assert taken(tracker, tmp_path / folder.name) is not None
    other = Finished(tmp_path / uuid4().hex, finished.store)
    elsewhere = tmp_path / "elsewhere" / other.search.name
    assert taken(tracker, elsewhere) is not None
    other.tracker.discard(other.tracker.search_id)
    assert taken(tracker, elsewhere) is None


def test_a_search_whose_test_images_are_not_measured_has_not_ended(
    finished: Finished, tmp_path: Path
) -> None:
    unended = Finished(tmp_path / uuid4().hex, finished.store)
    unended.search.ledger.remember("tested", {})
    unended.search.ledger.remember("ended", None)
    assert "the search was interrupted; run its command again" in unended.ask(fix=True)[1]
    again = Search.open(unended.search.name, unended.search.folder.parent)
    assert again.results().facts["ended"] is None


@pytest.mark.long
def test_a_doctor_that_is_killed_makes_nothing_twice(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes the search to an empty store and dies at some request, before or behind its effect."""
    made: list[str] = []
    file, other = tmp_path / "mlflow.db", f"sqlite:///{tmp_path}/mlflow.db"
    real = DiscreetClient.__getattr__

    def die(number: int, arrives: bool) -> None:
        """Let the doctor die at a request that changes something."""
        made.clear()

        def method(client: DiscreetClient, name: str) -> Any:
            call = real(client, name)
            if name.startswith(("get", "search")):
                return call

            def attempt(*args: Any, **kwargs: Any) -> Any:
                made.append(name)
                if len(made) - 1 != number or arrives:
                    result = call(*args, **kwargs)
                if len(made) - 1 == number:
                    raise KeyboardInterrupt
                return result

            return attempt

        monkeypatch.setattr(DiscreetClient, "__getattr__", method)

    die(-1, arrives=False)
    file.write_bytes(fresh()[0])
    assert finished.ask(fix=True, uri=other)[0]
    requests = list(made)
    client = MlflowClient(other, registry_uri=other)
    for name, arrives in (
        ("create_run", True),
        ("log_batch", False),
        ("set_terminated", True),
        ("create_model_version", True),
        ("set_registered_model_alias", False),
    ):
        reset(file, fresh()[0])
        die(requests.index(name), arrives)
        with pytest.raises(KeyboardInterrupt):
            finished.ask(fix=True, uri=other)
        die(-1, arrives)
        well, said = finished.ask(fix=True, uri=other)
        assert well, said
        (experiment,) = client.search_experiments(filter_string="name = 'dcodr'")
        runs = client.search_runs([experiment.experiment_id])
        assert sorted(run.data.tags.get("trial", "parent") for run in runs) == [*"012345", "parent"]
        assert len(client.search_model_versions(f"name = '{finished.search.name}'")) == 3


def reset(file: Path, content: bytes) -> None:
    """Empty a database that this process has open."""
    empty = file.with_name("empty.db")
    empty.write_bytes(content)
    with closing(sqlite3.connect(empty)) as source, closing(sqlite3.connect(file)) as database:
        source.backup(database)


def test_runs_of_an_unreleased_version_are_written_to_another_store(store: Store, tmp_path: Path) -> None:
    """Their metrics have other names; the ledger is the same."""
    early = Patient(tmp_path / "s", store)
    store.client.delete_tag(early.tracker.search_id, FORM)
    with pytest.raises(UserError, match="--fix --tracking-uri"):
        early.ask()
    other = Store(tmp_path)
    assert early.ask(fix=True, uri=other.uri)[0]
    assert early.ask() == (True, NOTE)


def test_all_of_a_search_is_written_to_another_store_from_its_ledger_alone(
    changed: Patient, tmp_path: Path
) -> None:
    (changed.search.folder / "space.yaml").unlink()
    other = Store(tmp_path)
    well, said = changed.ask(uri=other.uri)
    assert not well
    assert f"has no run {changed.tracker.search_id} of the search" in said
    assert changed.ask(fix=True, uri=other.uri)[0]
    assert changed.ask() == (True, NOTE)
    search = Search.open(changed.search.name, changed.search.folder.parent)
    parent = search.ledger.facts()["run_id"]
    runs = {int(run.data.tags["trial"]): run.info.status for run in other.children(parent)}
    assert [runs[number] for number in range(6)] == LEFT
    assert other.client.get_run(parent).info.status == "KILLED"
    assert other.artifact(parent, "space.yaml") == search.space.file_text()


def test_a_moved_search_is_written_to_mlflow_anew(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    moved = Patient(old / "store" / "s", Store(old))
    first = moved.tracker.search_id
    old.rename(new)
    moved.search, uri = Search.open("s", new / "store"), default_uri(new / "store")
    well, said = moved.ask()
    assert not well
    assert (
        f"MLflow's artifacts are not in {old}/store/mlartifacts/{first}/artifacts: the search was moved"
        in said
    )
    with pytest.raises(UserError, match="python -m tuning doctor NAME --fix"):
        add_artifacts(uri, first, [new / "store" / "s" / "space.yaml"], "analysis")
    assert not old.exists()
    assert moved.ask(fix=True)[0]
    assert moved.ask() == (True, NOTE)
    parent = Search.open("s", new / "store").ledger.facts()["run_id"]
    client = MlflowClient(uri)
    assert client.get_run(first).info.lifecycle_stage == "deleted"
    assert (new / "store" / "mlartifacts" / parent / "artifacts" / "space.yaml").is_file()
    assert {one.name for one in client.search_experiments()} == {"Default", "dcodr", "dcodr 1, moved"}
    # Another search of the same folder is written to the same new experiment.
    tracker = Tracker(uri)
    begin(new / "store" / "t", tracker)
    assert tracker.artifacts.startswith((new / "store" / "mlartifacts").as_uri())
    assert not old.exists()


def test_a_running_search_and_an_unknown_store_are_refused(patient: Patient, tmp_path: Path) -> None:
    with driving(patient.search.folder), pytest.raises(UserError, match="is running already"):
        patient.ask()
    with pytest.raises(UserError, match="there is no file"):
        patient.ask(uri=f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_secrets_are_not_kept_and_asked_for(changed: Patient) -> None:
    changed.search.ledger.remember("tracking_uri", "https://me:***@mlflow.example.org")
    with pytest.raises(UserError, match=r"tracking_uri=\.\.\.: https://me:.* give it again"):
        changed.ask()
