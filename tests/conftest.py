"""Share one thread, a tiny rendered dataset, and the stack of a test process that crashed."""

import dataclasses
import faulthandler
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import threadpoolctl
import torch

from dcodr import plugins
from dcodr.config import BatchConfig, Config, EncoderConfig, GeneratorConfig, PerceptualConfig
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from tests.extending import write_package

# An example may take any time: other processes may keep the cores busy.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


def crash_file(run: str, worker: str) -> Path:
    """Name the file for the stack of a worker of pytest-xdist."""
    return Path(tempfile.gettempdir()) / f"pytest-crash-{run}-{worker}.txt"


# After pytest's own plugin, which writes to a standard error that is lost among the dots.
@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have a worker that receives a fatal signal write its stack to a file."""
    if of := getattr(config, "workerinput", None):
        faulthandler.enable(crash_file(of["testrunuid"], of["workerid"]).open("w"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole searches: a file with some would otherwise be left to one worker at the end."""
    items.sort(key=lambda item: item.get_closest_marker("search") is None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the file of a worker that ends by itself."""
    if of := getattr(session.config, "workerinput", None):
        crash_file(of["testrunuid"], of["workerid"]).unlink(missing_ok=True)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: Any) -> None:
    """Show the stack of a worker that crashed; there is none if it was killed."""
    of = report.node.workerinput
    file = crash_file(of["testrunuid"], of["workerid"])
    stack = file.read_text() if file.exists() else ""
    report.longrepr += f"\n{stack or 'no stack: it was killed, or it exited'}"
    file.unlink(missing_ok=True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Threads of BLAS wait for each other in a loop: two processes on two cores become three times slower."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> None:
    """A shell starts background jobs, and all that they start, with Ctrl-C ignored; nohup with SIGHUP."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 160 rendered scenes."""
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    prepare_synthetic(path, 160)
    return path


@pytest.fixture(scope="session")
def tiny(tiny_store: Path) -> FactorDataset:
    """160 rendered scenes."""
    return open_store(tiny_store)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> FactorDataset:
    """Two batches of 16 training images, with two attributes."""
    path = tmp_path_factory.mktemp("data") / "few.h5"
    prepare_synthetic(path, 48)
    data = open_store(path)
    spec = dataclasses.replace(data.spec, attributes=data.spec.attributes[:2])
    return dataclasses.replace(data, spec=spec)


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """One Ray for all searches that a module runs in this process, as it takes seconds to start."""
    from tuning.cluster.session import ray_session

    with ray_session(None), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuning.run.ray_session", lambda *_: nullcontext())
        yield


@pytest.fixture
def tiny_config(tiny_store: Path) -> Config:
    """A DCoDR training of about a second."""
    return Config(
        data=str(tiny_store),
        encoder=EncoderConfig(arch="small", code_dim=16),
        generator=GeneratorConfig(channels=8, domain_dim=8),
        perceptual=PerceptualConfig(backbone="pixel"),
        batch=BatchConfig(n_domains=4, n_per_domain=8),
        encoder_lr=1e-3,
        epochs=2,
        evaluate_every=1,
        device="cpu",
    )


@pytest.fixture
def short_config(tiny_config: Config) -> Config:
    """A training of two steps on the few images."""
    update = {"epochs": 1, "batch": BatchConfig(n_domains=4, n_per_domain=4)}
    return tiny_config.model_copy(update=update)


@pytest.fixture(scope="session")
def _extending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package of docs/extending.md."""
    folder = tmp_path_factory.mktemp("extending")
    write_package(folder)
    return folder


@pytest.fixture
def mypackage(_extending: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package of docs/extending.md, which Python finds and this machine allows."""
    monkeypatch.syspath_prepend(_extending)
    monkeypatch.setenv(plugins.ENVIRONMENT, "mypackage")
    return "mypackage"
