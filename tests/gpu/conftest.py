"""A rehearsal of all that runs on a GPU, on machines without one: one of everything, and few steps of it."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from dcodr.config import BatchConfig, Config
from dcodr.data.dataset import FactorDataset
from dcodr.evaluation.probes import FAST, ProbeBudget
from tests.gpu.fake import FakeGPU, fake_gpu
from tuning.preflight.rehearsal import thinned

BRIEF = dataclasses.replace(FAST, epochs=1)
"""The fast probes, for tests of something else."""


@pytest.fixture
def gpu() -> Iterator[FakeGPU]:
    """A GPU that is not there."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        pytest.skip("needs PyTorch's CUDA build; it needs no GPU")
    with fake_gpu() as gpu:
        yield gpu


@pytest.fixture
def cuda_config(tiny_config: Config) -> Config:
    """The tiny training, on the GPU, for one epoch."""
    batch = BatchConfig(n_domains=4, n_per_domain=4)
    quick = {"epochs": 1, "batch": batch, "augmentations": ("crop",)}
    return tiny_config.model_copy(update={"device": "cuda", **quick})


@pytest.fixture(scope="session")
def few(tiny: FactorDataset) -> FactorDataset:
    """Two batches of training images, with two attributes."""
    spec = dataclasses.replace(tiny.spec, attributes=tiny.spec.attributes[:2])
    return dataclasses.replace(thinned(tiny, 9), spec=spec)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> ProbeBudget:
    """Evaluations in training with brief probes."""
    monkeypatch.setattr("dcodr.training.trainer.FAST", BRIEF)
    return BRIEF
