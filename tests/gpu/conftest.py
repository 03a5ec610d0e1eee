"""A rehearsal of all that runs on a GPU, on machines without one: one of everything, and few steps of it."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from dcodr.config import Config
from dcodr.evaluation.probes import FAST, ProbeBudget
from tests.gpu.fake import FakeGPU, fake_gpu

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
def cuda_config(short_config: Config) -> Config:
    """The short training, on the GPU."""
    return short_config.model_copy(update={"device": "cuda", "augmentations": ("crop",)})


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> ProbeBudget:
    """Evaluations in training with brief probes."""
    monkeypatch.setattr("dcodr.training.trainer.FAST", BRIEF)
    return BRIEF
