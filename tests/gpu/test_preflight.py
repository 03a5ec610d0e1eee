"""The rehearsal of a dry run, on a GPU."""

import pytest

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from tests.gpu.conftest import BRIEF
from tests.gpu.fake import FakeGPU
from tuning.preflight import rehearsal


@pytest.fixture(autouse=True)
def _quick(few: FactorDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "open_dataset", lambda config: few)
    monkeypatch.setattr(rehearsal, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(rehearsal, "FAST", BRIEF)


def test_the_largest_configuration_is_timed_within_its_share(gpu: FakeGPU, cuda_config: Config) -> None:
    timing = rehearsal.measure(cuda_config.model_dump_json(), 0.5)
    assert gpu.shares == [0.5]
    assert (timing.steps, timing.timed, timing.memory) == (2, 1, 2**20)


def test_too_little_memory_is_told(gpu: FakeGPU, cuda_config: Config) -> None:
    gpu.memory_ends_after = 20
    with pytest.raises(UserError, match="needs more memory than the GPU allows"):
        rehearsal.measure(cuda_config.model_dump_json(), 0.5)
