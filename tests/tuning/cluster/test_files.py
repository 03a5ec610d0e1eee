"""The files that start a cluster, as far as they can be checked without one."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import cli
from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

from tuning.search_cli import app
from tuning.space import load_space

ROOT = Path(__file__).parents[3]
FILES = ROOT / "tuning" / "cluster"
RAY = Path(sys.executable).with_name("ray")


def started(words: list[str]) -> dict[str, Any]:
    """Return the options of ``ray start`` as Ray parses them; Ray has to know all of them."""
    return dict(cli.commands["start"].make_context("ray start", words).params)


def searched(words: list[str]) -> dict[str, Any]:
    """Return the options of ``tune.py`` as it parses them."""
    return dict(typer.main.get_command(app).make_context("tune.py", words).params)


def load(name: str) -> dict[str, Any]:
    content = yaml.safe_load((FILES / name).read_text())
    assert isinstance(content, dict)
    return content


def test_ray_up_takes_the_file() -> None:
    config = prepare_config(load("ray-up.yaml"))
    validate_config(config)
    (kind,) = config["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == len(config["provider"]["worker_ips"]) == 7
    (head,) = [line for line in config["head_start_ray_commands"] if " start " in line]
    (worker,) = [line for line in config["worker_start_ray_commands"] if " start " in line]
    assert "RAY_AUTH_MODE=token" in head
    assert "RAY_AUTH_MODE=token" in worker
    options = started(shlex.split(head.split(" start ")[1]))
    assert options["head"]
    assert options["dashboard_host"] == "127.0.0.1"
    assert started(shlex.split(worker.split(" start ")[1]))["address"] == "$RAY_HEAD_IP:6379"


def test_the_command_in_its_comment_is_one() -> None:
    lines = [line.removeprefix("#").strip() for line in (FILES / "ray-up.yaml").read_text().splitlines()]
    command = re.search(r"tune\.py (.*?)'", " ".join(lines).replace("\\", " "))
    assert command is not None
    assert searched(shlex.split(command[1]))["address"] == "auto"


@pytest.fixture
def submitted(tmp_path: Path) -> Iterator[list[str]]:
    """Return the arguments that ``slurm.sh`` gives to ``srun``, and the token's state meanwhile."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    srun = tmp_path / "srun"
    srun.write_text(
        '#!/bin/sh\nstat -c %a "$RAY_AUTH_TOKEN_PATH"\nwc -c < "$RAY_AUTH_TOKEN_PATH"\nprintf "%s\\n" "$@"\n'
    )
    srun.chmod(0o755)
    variables = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "12345678", "SLURM_JOB_NUM_NODES": "8"}
    variables |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HEAD_IP": "10.1.2.3"}
    words = ["bash", str(FILES / "slurm.sh"), "--space", "my space.yaml", "--resume"]
    done = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield done.stdout.splitlines()
    assert not list(tmp_path.glob(".ray-token*"))


def test_slurm_starts_ray_on_every_node_and_the_search_on_one(submitted: list[str]) -> None:
    mode, length, *words = submitted
    assert (mode, int(length)) == ("600", 64)
    begin, end = words.index("ray"), words.index("--")
    assert words[:begin] == ["--nodes=8", "--ntasks=8"]
    assert words[begin : begin + 2] == ["ray", "symmetric-run"]
    options = words[begin + 2 : end]
    assert options[:4] == ["--address", "10.1.2.3:25678", "--min-nodes", "8"]
    assert started(curate_and_validate_ray_start_args(options))["disable_usage_stats"]
    assert words[end + 1 : end + 3] == ["python", "tune.py"]
    search = searched(words[end + 3 :])
    assert (search["address"], search["space_option"], search["resume"]) == (
        "10.1.2.3:25678",
        Path("my space.yaml"),
        True,
    )


def test_slurm_is_valid_bash_and_refuses_to_run_outside_a_job() -> None:
    assert subprocess.run(["bash", "-n", str(FILES / "slurm.sh")]).returncode == 0
    outside = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    done = subprocess.run(["bash", str(FILES / "slurm.sh")], env=outside, capture_output=True, text=True)
    assert done.returncode != 0
    assert "run me by sbatch" in done.stderr


def test_this_ray_has_symmetric_run() -> None:
    done = subprocess.run([RAY, "symmetric-run", "--help"], capture_output=True, text=True, check=True)
    assert "--address" in done.stdout
    assert "--min-nodes" in done.stdout


JOB = {"entrypoint", "submissionMode", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit"}
JOB |= {"submitterPodTemplate", "rayClusterSpec", "runtimeEnvYAML", "activeDeadlineSeconds", "suspend"}
CLUSTER = {"rayVersion", "headGroupSpec", "workerGroupSpecs", "enableInTreeAutoscaling", "autoscalerOptions"}
CLUSTER |= {"authOptions"}
HEAD = {"rayStartParams", "template", "serviceType", "headService", "enableIngress"}
WORKERS = {"groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "rayStartParams", "template"}
"""Fields of KubeRay's ``rayjob_types.go`` and ``raycluster_types.go``, version v1."""


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the specs of all pods of Ray."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_rayjob_has_fields_that_kuberay_knows() -> None:
    job = load("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(job["spec"]) <= JOB
    cluster = job["spec"]["rayClusterSpec"]
    assert set(cluster) <= CLUSTER
    assert set(cluster["headGroupSpec"]) <= HEAD
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= WORKERS
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"] == 8
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        started([f"--{name}={value}" for name, value in group["rayStartParams"].items()])


def test_every_pod_of_the_rayjob_sees_the_storage_and_has_a_token() -> None:
    job = load("kuberay-rayjob.yaml")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[0] == "dcodr-tune"
    search = searched(words[1:])
    assert search["address"] == "auto"
    assert load_space(str(search["space"])).name == "paper_gpu"
    for pod in pods(job):
        (container,) = pod["containers"]
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        claims = {volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume}
        for path in (search["storage"], Path(search["data"])):
            assert mounted[f"/{path.parts[1]}"] in claims
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
