"""The nodes of a Ray cluster: their room for trials, and a check of the files that trials need."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console

from dcodr.config import Config, with_absolute_paths
from dcodr.data.remote import open_dataset
from dcodr.errors import UserError
from dcodr.files import IMAGENET, is_uri
from dcodr.words import counted, option
from tuning.cluster.machine import lacking
from tuning.cluster.session import ray_session
from tuning.space import Space
from tuning.space.params import CategoricalParam
from tuning.space.settings import Resources

PATIENCE, PATIENCE_TO_FETCH = 120.0, 3600.0
"""Seconds that a node has for the check, without and with fetching a dataset."""

_TYPE = "accelerator_type:"
_ADVICE = (
    "Mount one shared folder (NFS, EFS, Lustre) at the same path on every node and give it as the storage; "
    "install this package in the same version on every node. See docs/cluster.md."
)


def share(resources: Resources, gpus: float) -> dict[str, float]:
    """Return the resources that a trial asks of Ray, with the GPU type if the search asks for one."""
    # Ray gives each node 1 of a resource named after its GPU type: a small part of it picks the node only.
    asked = {"CPU": float(resources.cpus_per_trial), "GPU": gpus}
    return asked | ({_TYPE + resources.gpu_type: 0.001} if resources.gpu_type else {})


def places(resources: Resources) -> int:
    """Return how many trials the connected cluster trains at a time."""
    fit = sum(_fit(resources, node) for node in _alive())
    return min(fit, resources.max_concurrent or fit)


def check_cluster(
    space: Space, address: str | None, storage: Path, fingerprint: str, console: Console
) -> int | None:
    """Refuse a cluster on which a search could not run; return the trials that it trains at a time.

    For this machine alone, without an address, return ``None``.

    Raises:
        UserError: If Ray cannot be started or reached, or a node does not see a file that it needs.
    """
    with console.status("trying Ray"), ray_session(address):
        ready(space, address, storage, fingerprint)
        return None if address is None else places(space.resources)


def ready(space: Space, address: str | None, storage: Path, fingerprint: str) -> None:
    """Refuse a connected Ray on which a search could not run, before the search begins.

    A single machine is checked only if trials ask for a type of GPU, which Ray has to find. On a cluster, a
    task runs on every node that can train a trial. The task looks for a file that was just written to the
    storage folder, writes a file there, opens the dataset (fetching it from a URI) and looks for the files of
    weights. A cluster of one node is not checked. A node that is lost meanwhile is ignored.

    Raises:
        UserError: If no node has room for a trial, or nodes do not see the files; the message names each.
    """
    if address is None and space.resources.gpu_type is None:
        return
    nodes = _alive()
    fitting = [node for node in nodes if _fit(space.resources, node)]
    if not fitting:
        raise UserError(_no_place(space.resources, nodes))
    if len(nodes) == 1:
        return
    storage.mkdir(parents=True, exist_ok=True)
    meeting = storage / f".nodes-{uuid4().hex}"
    meeting.mkdir()
    try:
        base = with_absolute_paths(space.base)
        found = _look_everywhere(fitting, meeting, base, fingerprint, weight_files(space))
    finally:
        shutil.rmtree(meeting, ignore_errors=True)
    # A node that was lost during the check takes no trials; its failure is no reason to refuse the cluster.
    alive = {node["NodeID"] for node in _alive()}
    if found := [(node, what) for node, what in found if node["NodeID"] in alive]:
        lines = [f"  node {_name(node)}: {what}" for node, what in found]
        head = f"{len(found)} of {counted(len(fitting), 'node')} cannot run trials:"
        raise UserError("\n".join([head, *lines, _ADVICE]))


def weight_files(space: Space) -> list[Path]:
    """Return the files of pretrained weights that a trial may need, those of searched choices included."""
    named = {space.base.encoder.weights, space.base.perceptual.weights}
    for key in ("encoder.weights", "perceptual.weights"):
        if isinstance(param := space.params.get(key), CategoricalParam):
            named |= {str(choice) for choice in param.choices}
    return sorted(Path(name).resolve() for name in named if name not in (None, IMAGENET))


def look(meeting: Path, name: str, base: Config, fingerprint: str, weights: Sequence[Path]) -> str | None:
    """Return one reason why this node could not train trials, if any; runs on that node.

    The driver has written ``driver`` to the new folder ``meeting`` in the storage folder. The node writes a
    file of the given name there.
    """
    storage = meeting.parent
    if not storage.is_dir():
        return f"does not see the storage folder {storage}"
    if not (meeting / "driver").is_file():
        return f"has another folder at {storage}: what this machine writes there does not appear"
    if (why := lacking(storage)) is not None:
        return f"the storage folder cannot be used: {why}"
    (meeting / name).touch()
    try:
        found = open_dataset(base).fingerprint
    except UserError as error:
        return f"cannot open the dataset: {error}"
    if found != fingerprint:
        return f"has another dataset at {base.store}: fingerprint {found}, here {fingerprint}"
    if unseen := [file for file in weights if not file.is_file()]:
        return f"does not see the weights {unseen[0]}"
    return None


def _look_everywhere(
    nodes: list[dict[str, Any]], meeting: Path, base: Config, fingerprint: str, weights: Sequence[Path]
) -> list[tuple[dict[str, Any], str]]:
    """Return the nodes that cannot train trials, each with the reason."""
    (meeting / "driver").touch()
    # The check needs no free CPU, so it also runs on a busy node.
    task = ray.remote(num_cpus=0, max_retries=0)(look)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            meeting, node["NodeID"], base, fingerprint, weights
        ): node
        for node in nodes
    }
    patience = PATIENCE_TO_FETCH if is_uri(base.data) else PATIENCE
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=patience)
    found = []
    for answer, node in asked.items():
        what = _answer(answer) if answer in done else f"did not answer within {patience:g} s"
        if what is None and not (meeting / node["NodeID"]).is_file():
            what = f"has another folder at {meeting.parent}: what it writes there does not appear here"
        if what is not None:
            found.append((node, what))
    return found


def _answer(answer: "ray.ObjectRef[str | None]") -> str | None:
    try:
        return ray.get(answer)
    except RayError as error:
        return f"cannot run a task: {str(error).strip().splitlines()[-1]}"


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _fit(resources: Resources, node: Mapping[str, Any]) -> int:
    """Return how many trials fit on a node."""
    total = node["Resources"]
    if resources.gpu_type and _TYPE + resources.gpu_type not in total:
        return 0
    return resources.concurrent(total.get("CPU", 0), total.get("GPU", 0))


def _no_place(resources: Resources, nodes: list[dict[str, Any]]) -> str:
    share = (resources.cpus_per_trial, "cpu"), (resources.gpus_per_trial, "gpu")
    asked = ", ".join(f"{amount:g} {name}" for amount, name in share if amount)
    kind = f" of type {resources.gpu_type}" if resources.gpu_type else ""
    lines = [f"  node {_name(node)}: {_offer(node['Resources'])}" for node in nodes]
    return "\n".join(
        [
            f"resources: a trial asks for {asked}{kind}, which no node of the cluster has:",
            *lines,
            f"Change resources in the space file or by {option('set', python='settings')}, or start the "
            "search when the nodes are there.",
        ]
    )


def _offer(total: Mapping[str, float]) -> str:
    types = [key.removeprefix(_TYPE) for key in total if key.startswith(_TYPE)]
    return f"{total.get('CPU', 0):g} cpu, {total.get('GPU', 0):g} gpu {' '.join(types)}".strip()


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']}, {node['NodeID'][:8]})"
