"""The runs of a search, on a real database."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from dcodr.errors import UserError
from tests.tuning.store import Store, fresh, metrics
from tuning.tracking.registry import Registry
from tuning.tracking.tracker import EpochMetrics, Tracker

EPOCH = "train/images_per_second"


def test_a_search_from_start_to_end(store: Store) -> None:
    tracker = store.begin("augs", dataset="synthetic")
    parent = tracker.search_id
    good = tracker.start_trial(0, "000 paper", {"crop": True, "encoder_lr": 1e-4}, {"seed": "7"}, "a: 1\n")
    bad = tracker.start_trial(1, "001", {"crop": False, "encoder_lr": 0.5}, {}, "a: 2\n")
    for epoch in range(3):
        values = {"invariance": 0.2 * epoch + 0.3, "probe/accuracy/floor_hue": 0.5, EPOCH: 9.0}
        tracker.log_epochs(good.run_id, [EpochMetrics(epoch, 1000 + epoch, values)])
    tracker.log_epochs(bad.run_id, metrics(0, invariance=0.1))
    tracker.set_status(good.run_id, "FINISHED", {"outcome": "complete"})
    tracker.set_status(bad.run_id, "FAILED", {"outcome": "failed", "reason": "the loss is not finite"})
    tracker.keep(parent, {"front": "1"}, {"front.txt": "table"})
    tracker.set_status(parent, "FINISHED", {})

    search = store.client.get_run(parent)
    assert (search.info.status, search.info.run_name) == ("FINISHED", "augs")
    assert search.data.params == {"trials": "2"}
    assert {"dataset": "synthetic", "front": "1"}.items() <= search.data.tags.items()
    assert store.artifact(parent, "front.txt") == "table"

    assert {run.info.run_id: run.info.status for run in store.children(parent)} == {
        good.run_id: "FINISHED",
        bad.run_id: "FAILED",
    }
    (found,) = store.children(parent, " and metrics.invariance > 0.5")
    assert (found.info.run_id, found.info.run_name) == (good.run_id, "000 paper")
    assert found.data.params == {"crop": "True", "encoder_lr": "0.0001"} == good.params
    assert {"trial": "0", "seed": "7", "outcome": "complete"}.items() <= found.data.tags.items()
    assert store.artifact(good.run_id, "config.yaml") == "a: 1\n"
    assert store.points(good.run_id, "invariance") == [(0, 0.3), (1, 0.5), (2, 0.7)]
    assert tracker.epochs(good.run_id) == (0, 1, 2)
    assert {run.number: run.run_id for run in tracker.trial_runs()} == {0: good.run_id, 1: bad.run_id}
    (second,) = tracker.trial_runs(1)
    assert (second.run_id, second.status, second.params) == (bad.run_id, "FAILED", bad.params)
    assert second.metrics == {"invariance": 0.1}


def test_another_process_goes_on_below_the_same_parent(store: Store) -> None:
    foreign = store.begin("other")
    foreign.start_trial(0, "foreign", {}, {}, "")
    first = store.begin("killed")
    ended = first.start_trial(0, "000", {}, {}, "")
    first.set_status(ended.run_id, "FINISHED", {})
    store.client.set_terminated(first.search_id, "KILLED")

    again = Tracker(store.uri)
    assert again.open_search(first.search_id) == "KILLED"
    again.start_trial(1, "001", {}, {}, "")
    assert {run.number: run.status for run in again.trial_runs()} == {0: "FINISHED", 1: "RUNNING"}
    again.set_status(ended.run_id, "RUNNING", {})
    assert {run.number: run.status for run in again.trial_runs()} == {0: "RUNNING", 1: "RUNNING"}


def test_what_may_have_arrived_is_written_again_to_no_effect(store: Store) -> None:
    tracker = store.begin("twice")
    run = tracker.start_trial(0, "000", {}, {}, "")
    for _ in range(2):
        tracker.log_epochs(run.run_id, metrics(1, **{"loss": 0.25, EPOCH: 3.0}))
    tracker.log_epochs(run.run_id, [*metrics(1, loss=0.25), *metrics(2, loss=0.125)])
    assert store.points(run.run_id, "loss") == [(1, 0.25), (2, 0.125)]
    assert tracker.epochs(run.run_id) == (1,)


def test_more_figures_than_a_request_takes(store: Store) -> None:
    tracker = store.begin("large")
    run = tracker.start_trial(0, "000", {}, {}, "")
    tracker.log_epochs(run.run_id, [EpochMetrics(e, e, {f"f{i}": i for i in range(400)}) for e in range(6)])
    assert store.points(run.run_id, "f399") == [(epoch, 399) for epoch in range(6)]


def test_a_discarded_run_is_no_longer_the_trials(store: Store) -> None:
    tracker = store.begin("discarded")
    run = tracker.start_trial(0, "000", {}, {}, "")
    tracker.discard(run.run_id)
    assert tracker.trial_runs() == []
    assert store.client.get_run(run.run_id).info.lifecycle_stage == "deleted"
    store.client.delete_run(tracker.search_id)
    assert Tracker(store.uri).open_search(tracker.search_id) is None


def test_many_and_long_values(store: Store) -> None:
    tracker = store.begin("long")
    params = {f"p{i}": i for i in range(250)} | {"space": "x" * 7000, "fits": "y" * 6000}
    run_id = tracker.start_trial(0, "000", params, {"reason": "z" * 9000}, "").run_id
    tracker.set_status(run_id, "FAILED", {f"t{i}": str(i) for i in range(150)} | {"trace": "w" * 8001})

    data = store.client.get_run(run_id).data
    assert len(data.params) == 252
    assert data.params["p249"] == "249"
    assert data.params["fits"] == "y" * 6000
    assert data.tags["t149"] == "149"
    for text, limit, was in [
        (data.params["space"], 6000, 7000),
        (data.tags["reason"], 8000, 9000),
        (data.tags["trace"], 8000, 8001),
    ]:
        assert len(text) == limit
        assert text.endswith(f"x ... [cut, {was} characters]".replace("x", text[0]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_figures_that_are_not_finite_are_refused_whole(store: Store, value: float) -> None:
    tracker = store.begin("finite")
    run_id = tracker.start_trial(0, "000", {}, {}, "").run_id
    with pytest.raises(ValueError, match=r"epoch 4 are not finite: \{'loss': "):
        tracker.log_epochs(run_id, [*metrics(3, loss=1.0), *metrics(4, invariance=0.5, loss=value)])
    assert store.client.get_run(run_id).data.metrics == {}


@pytest.mark.parametrize("name", ["", "a[0]", "a%", "/a", "a//b", "../a", "a/", "x" * 251])
def test_names_mlflow_cannot_take_are_refused_before_anything_is_written(store: Store, name: str) -> None:
    tracker = store.begin("names")
    run_id = tracker.start_trial(0, "000", {}, {}, "").run_id
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        tracker.log_epochs(run_id, metrics(0, fine=0.0, **{name: 1.0}))
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        tracker.start_trial(1, "001", {name: 1}, {}, "")
    with pytest.raises(ValueError, match="cannot be a name in MLflow"):
        tracker.set_status(run_id, "FINISHED", {name: "1"})
    (run,) = store.children(tracker.search_id)
    assert (run.info.status, run.data.metrics) == ("RUNNING", {})


def test_every_allowed_character_is_taken(store: Store) -> None:
    tracker = store.begin("names")
    name = "accuracy/wall_hue-2.5 k:3"
    run_id = tracker.start_trial(0, "000", {name: 1}, {name: "1"}, "").run_id
    tracker.log_epochs(run_id, metrics(0, **{name: 1.0}))
    assert store.client.get_run(run_id).data.metrics == {name: 1.0}


def test_trials_need_a_search(store: Store) -> None:
    with pytest.raises(RuntimeError, match="before start_trial"):
        Tracker(store.uri).start_trial(0, "000", {}, {}, "")


def test_a_deleted_experiment_is_explained(store: Store) -> None:
    number = store.client.create_experiment("gone")
    store.client.delete_experiment(number)
    with pytest.raises(UserError, match=rf"'gone' was deleted.*--experiment-id {number}"):
        Tracker(store.uri).start_search("id", "s", {}, {}, experiment="gone", artifact_root=None)


def test_a_search_is_found_by_its_identity_whatever_became_of_it(store: Store) -> None:
    def begin(identity: str, **params: int) -> str:
        tracker = Tracker(store.uri)
        return tracker.start_search(identity, "s", {}, params, experiment="tests", artifact_root=None)

    first = begin("one", trials=3)
    store.client.set_terminated(first, "FINISHED")
    assert begin("one", trials=5, seed=1) == first
    assert store.client.get_run(first).data.params == {"trials": "3", "seed": "1"}
    assert begin("other") != first


def test_a_search_that_never_began_is_not_left_running(store: Store) -> None:
    tags = {"search": "s", "folder": "/home/o'brien/runs/s"}
    left = store.begin("s", **tags).search_id
    begun = store.begin("s", **tags | {"folder": "/runs/s"})
    begun.start_trial(0, "000", {}, {}, "")
    for folder in tags["folder"], "/runs/s":
        store.begin("s", search="s", folder=folder)
    assert store.client.get_run(left).info.status == "KILLED"
    assert store.client.get_run(begun.search_id).info.status == "RUNNING"


def test_models_are_registered_where_the_runs_are(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/other.db")
    tracker = store.begin("registers")
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "MLmodel").touch()
    aliases = {"knee": "The best.", "most-invariant": "Another."}
    Registry(tracker).register("registered", "Encoders.", aliases, tracker.search_id, tmp_path / "encoder")
    assert not (tmp_path / "other.db").exists()
    client = MlflowClient(store.uri, registry_uri=store.uri)
    assert client.get_registered_model("registered").description == "Encoders."
    for alias, about in aliases.items():
        version = client.get_model_version_by_alias("registered", alias)
        assert (version.run_id, version.description) == (tracker.search_id, about)


def test_a_new_database_is_made_in_silence() -> None:
    assert fresh()[1] == ""
