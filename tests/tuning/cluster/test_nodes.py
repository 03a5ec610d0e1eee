"""The check of a cluster's nodes: two real nodes of Ray on one machine, one of them blinded."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from mlflow import MlflowClient
from rich.console import Console

from dcodr.config import Config
from dcodr.data.store import open_store
from dcodr.errors import UserError
from tests.faults.searching import runs_of
from tests.tuning.cluster.two_nodes import Nodes
from tuning.cluster.nodes import look, places, ready, share, weight_files
from tuning.results.search import Search
from tuning.run import run_search
from tuning.space import Space, load_space
from tuning.space.params import CategoricalParam
from tuning.space.settings import Resources

ROOT = Path(__file__).parents[3]
QUICK = ROOT / "search_spaces" / "quick.yaml"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    started = Nodes(tmp_path_factory.mktemp("nodes"))
    try:
        started.connect()
        ray.shutdown()
        yield started
    finally:
        started.stop()


@pytest.fixture
def connected(nodes: Nodes) -> Iterator[list[dict[str, Any]]]:
    yield nodes.connect()
    ray.shutdown()


def quick(store: Path, **resources: Any) -> Space:
    settings = {f"resources.{key}": value for key, value in resources.items()}
    return load_space(QUICK, data=str(store), settings=settings, search={"trials": 4})


def test_a_trial_asks_for_its_share_and_its_kind_of_gpu() -> None:
    assert share(Resources(cpus_per_trial=2), 0) == {"CPU": 2, "GPU": 0}
    asked = share(Resources(gpus_per_trial=0.25, gpu_type="L4"), 0.25)
    assert asked == {"CPU": 1, "GPU": 0.25, "accelerator_type:L4": 0.001}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("nothing", None),
        ("no storage", "does not see the storage folder"),
        ("other storage", "has another folder at"),
        ("no store", "cannot open the dataset: .* is not there"),
        ("other store", "has another dataset at"),
        ("no weights", r"does not see the weights .*vgg\.pth"),
    ],
)
def test_what_a_node_says_of_itself(
    change: str, reason: str | None, tmp_path: Path, tiny_config: Config, tiny_store: Path
) -> None:
    meeting = tmp_path / "runs" / ".nodes"
    if change != "no storage":
        meeting.mkdir(parents=True)
    if change != "other storage" and meeting.exists():
        (meeting / "driver").touch()
    if change == "no store":
        tiny_config = tiny_config.model_copy(update={"data": str(tmp_path / "none.h5")})
    weights = [tmp_path / "vgg.pth"] if change == "no weights" else []
    fingerprint = "other" if change == "other store" else open_store(tiny_store).fingerprint
    said = look(meeting, "me", tiny_config, fingerprint, weights)
    if reason is None:
        assert said is None
        assert (meeting / "me").is_file()
    else:
        assert said is not None
        assert re.search(reason, said)


def test_nodes_look_for_the_weights_of_every_choice(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).touch()
    space = quick(tiny_store)
    assert weight_files(space) == []
    choices = CategoricalParam(type="categorical", choices=("a.pth", "b.pth", "imagenet"))
    searched = space.model_copy(update={"params": {**space.params, "encoder.weights": choices}})
    assert weight_files(searched) == [tmp_path / "a.pth", tmp_path / "b.pth"]


@pytest.mark.long
def test_trials_fit_on_the_nodes_of_their_kind(
    connected: list[dict[str, Any]], tiny_store: Path, tmp_path: Path
) -> None:
    assert places(Resources()) == 2
    assert places(Resources(max_concurrent=1)) == 1
    assert places(Resources(gpus_per_trial=0.5)) == 1
    assert places(Resources(gpus_per_trial=0.5, gpu_type="H100")) == 1
    assert places(Resources(gpus_per_trial=0.5, gpu_type="A100")) == 0
    fingerprint = open_store(tiny_store).fingerprint
    lacking = quick(tiny_store, gpus_per_trial=0.5, gpu_type="A100")
    with pytest.raises(UserError, match=r"0\.5 gpu of type A100, which no node") as refused:
        ready(lacking, "auto", tmp_path / "runs", fingerprint)
    assert "1 cpu, 1 gpu H100" in str(refused.value)
    with pytest.raises(UserError, match="asks for 3 cpu, which no node"):
        ready(quick(tiny_store, cpus_per_trial=3), "auto", tmp_path / "runs", fingerprint)


@pytest.mark.long
def test_ray_places_a_trial_by_the_type_that_it_asks_for(connected: list[dict[str, Any]]) -> None:
    asked = share(Resources(gpus_per_trial=0.5, gpu_type="H100"), 0.5)
    cpu, gpu = asked.pop("CPU"), asked.pop("GPU")
    where = ray.remote(lambda: ray.get_runtime_context().get_node_id())
    found = ray.get(where.options(num_cpus=cpu, num_gpus=gpu, resources=asked).remote(), timeout=60)
    (kind,) = [node["NodeID"] for node in connected if "accelerator_type:H100" in node["Resources"]]
    assert found == kind


@pytest.mark.long
def test_the_check_leaves_nothing_where_all_is_well(
    connected: list[dict[str, Any]], tiny_store: Path, tmp_path: Path
) -> None:
    ready(quick(tiny_store), "auto", tmp_path / "runs", open_store(tiny_store).fingerprint)
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.long
def test_a_search_on_two_nodes_with_working_folders_of_their_own(
    nodes: Nodes, tiny_store: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_store, tmp_path / "tiny.h5")
    words = [str(ROOT / "tune.py"), "--space", os.path.relpath(QUICK, tmp_path), "--data", "tiny.h5"]
    words += ["--address", "auto", "--storage", "runs", "--trials", "2"]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=nodes.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    search = Search.open("quick", tmp_path / "runs")
    trials = search.trials()
    assert [trial.number for trial in trials] == [0, 1]
    assert {trial.status for trial in trials} <= {"complete", "infeasible"}
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    runs = runs_of(client, search)
    for trial in trials:
        run = runs[trial.number]
        assert run.info.status == "FINISHED"
        for name in search.space.objectives:
            assert run.data.metrics[name] == pytest.approx(trial.metrics[name], rel=1e-3)
    assert all(not list(folder.iterdir()) for folder in nodes.folders)
    assert set(trained_on(nodes)) == {node["NodeID"] for node in nodes.connect()}
    ray.shutdown()


def trained_on(nodes: Nodes) -> Counter[str]:
    """Count the processes of trials that each node has had."""
    alive = nodes.connect()
    ids = {node["NodeID"] for node in alive}
    actors = ray._private.state.actors().values()
    ray.shutdown()
    return Counter(actor["Address"]["NodeID"] for actor in actors if actor["Address"]["NodeID"] in ids)


@pytest.mark.long
def test_a_node_that_has_just_been_lost_is_not_missed(
    nodes: Nodes, connected: list[dict[str, Any]], tiny_store: Path, tmp_path: Path
) -> None:
    nodes.remove()
    try:
        ready(quick(tiny_store), "auto", tmp_path / "runs", open_store(tiny_store).fingerprint)
        assert not list((tmp_path / "runs").iterdir())
    finally:
        nodes.add()


@pytest.mark.long
def test_a_node_that_does_not_see_the_storage_is_named(tiny_store: Path, tmp_path: Path) -> None:
    """The second node has a mount namespace of its own, with an empty file system over the storage folder."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces cannot be made here")
    shared = tmp_path / "shared"
    shared.mkdir()
    store = tmp_path / "tiny.h5"
    shutil.copy(tiny_store, store)
    started = Nodes(tmp_path / "nodes", blind=shared)
    try:
        (blind,) = [node for node in started.connect() if node["Resources"].get("GPU")]
        ray.shutdown()
        with pytest.raises(UserError) as refused:
            run_search(
                quick(store),
                storage=shared / "runs",
                address=started.address,
                console=Console(file=io.StringIO()),
            )
    finally:
        started.stop()
    message = str(refused.value)
    assert message.startswith("1 of 2 nodes cannot run trials:\n")
    assert f"node {blind['NodeManagerAddress']} " in message
    assert blind["NodeID"][:8] in message
    assert f"does not see the storage folder {shared / 'runs'}" in message
    assert "Mount one shared folder" in message
    assert not list((shared / "runs").iterdir())


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "no Ray cluster answers there"),
        ("127.0.0.1:99999", "no Ray cluster answers there"),
        ("a..b:6379", "no Ray cluster answers there"),
        ("ray://127.0.0.1:10001", "should be HOST:PORT"),
        ("somewhere", "should be HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there(address: str, reason: str, tiny_store: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(UserError, match=f"^address='{re.escape(address)}': {reason}"):
        run_search(quick(tiny_store), storage=tmp_path / "runs", address=address, console=console)
    assert not (tmp_path / "runs").exists()
