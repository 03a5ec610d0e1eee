"""Share one thread, a tiny rendered dataset, and the stack of a test process that crashed."""

import faulthandler
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from dcodr.config import BatchConfig, Config, EncoderConfig, GeneratorConfig, PerceptualConfig
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store


def crash_file(run: str, worker: str) -> Path:
    """Name the file for the stack of a worker of pytest-xdist."""
    return Path(tempfile.gettempdir()) / f"pytest-crash-{run}-{worker}.txt"


# After pytest's own plugin, which writes to a standard error that is lost among the dots.
@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have a worker that receives a fatal signal write its stack to a file."""
    if of := getattr(config, "workerinput", None):
        faulthandler.enable(crash_file(of["testrunuid"], of["workerid"]).open("w"))


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
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> None:
    """A shell starts background jobs, and all that they start, with Ctrl-C ignored; nohup with SIGHUP."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 400 rendered scenes."""
    path = tmp_path_factory.mktemp("data") / "tiny.h5"
    prepare_synthetic(path, 400)
    return path


@pytest.fixture(scope="session")
def tiny(tiny_store: Path) -> FactorDataset:
    """400 rendered scenes."""
    return open_store(tiny_store)


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
