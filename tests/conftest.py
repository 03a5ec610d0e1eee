"""What many tests share: one thread, and a tiny rendered dataset."""

import signal
from pathlib import Path

import pytest
import torch

from dcodr.config import BatchConfig, Config, EncoderConfig, GeneratorConfig, PerceptualConfig
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store


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
