"""Training on a GPU: every method, where images lie, what is copied, checkpoints, room for images."""

from pathlib import Path
from typing import get_args

import pytest
import torch

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.augmentations.views import Augment, Mode
from dcodr.config import BatchConfig, Config, EncoderConfig, PerceptualConfig
from dcodr.config.methods import MethodName
from dcodr.data.dataset import FactorDataset
from dcodr.models.perceptual import DEFAULT_LAYERS, backbone_features
from dcodr.training.checkpoint import Epoch
from dcodr.training.memory import hold_to_share, room_for_images
from dcodr.training.pictures import retrieval_picture, swap_picture
from dcodr.training.trainer import fit, resolve_device
from tests.gpu.fake import CUDA, GIB, Copy, FakeGPU

METHODS = get_args(MethodName)
CASES = [
    *((method, "float32", True) for method in METHODS),
    *((method, "bfloat16", False) for method in METHODS),
    ("dcodr", "float32", False),
    ("dcodr", "bfloat16", True),
]
"""For each case a method, its precision, and whether its images are streamed."""


@pytest.fixture
def networks_of_the_paper(cuda_config: Config, tmp_path: Path) -> Config:
    """A ResNet with all layers that it can have, and a perceptual network."""
    weights = tmp_path / "squeezenet.pth"
    features = backbone_features("squeezenet1_1", max(DEFAULT_LAYERS["squeezenet1_1"]))
    torch.save(features.state_dict(), weights)
    update = {
        "encoder": EncoderConfig(arch="resnet18", code_dim=16, head=True, hidden_layer=True),
        "perceptual": PerceptualConfig(backbone="squeezenet1_1", weights=str(weights), normalise=True),
        "precision": "bfloat16",
        "batch": BatchConfig(n_domains=4, n_per_domain=8),  # one step an epoch
    }
    return cuda_config.model_copy(update=update)


def test_a_gpu_has_its_index(gpu: FakeGPU) -> None:
    assert resolve_device("cuda") == resolve_device("auto") == CUDA
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(("method", "precision", "streamed"), CASES)
def test_every_method_trains_and_no_step_waits_for_the_gpu(
    gpu: FakeGPU, method: str, precision: str, streamed: bool, cuda_config: Config, few: FactorDataset
) -> None:
    gpu.others = gpu.total if streamed else 0
    config = cuda_config.model_copy(update={"method": method, "precision": precision})
    said: list[str] = []
    waits: list[int] = []
    copies: list[Copy] = []

    def on_step(done: int, total: int) -> None:
        assert total == 2
        waits.append(len(gpu.waits))
        copies[:] = gpu.copies

    found = fit(config, few, on_step=on_step, on_streamed=said.append)
    assert {p.device for p in found.method.parameters()} == {CUDA}
    assert {p.grad.device for p in found.method.parameters() if p.grad is not None} == {CUDA}
    assert "invariance" in found.report.metrics
    assert waits[0] == waits[-1]
    # All that is drawn for both steps went in one copy, and nothing else did but the two batches' images.
    epoch = copies[-3 if streamed else -1 :]
    assert [copy for copy in copies if copy.pinned] == epoch
    assert not any(copy.waits for copy in epoch)
    assert ["batch by batch" in text for text in said] == [True] * streamed

    assert retrieval_picture(found.method, few, "validation", CUDA).width > 0
    swapped = swap_picture(found.method, few, "validation", CUDA)
    assert (swapped is None) == (method in ("dcodr_norec", "simclr"))


@pytest.mark.usefixtures("brief")
def test_every_block_of_steps_is_one_copy_for_which_none_of_them_waits(
    gpu: FakeGPU, cuda_config: Config, few: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcodr.training.batches.STAGED", 1)
    waits: list[int] = []
    fit(cuda_config, few, on_step=lambda done, total: waits.append(len(gpu.waits)))
    assert waits[0] == waits[1]
    assert [copy.waits for copy in gpu.copies if copy.pinned] == [False, False]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("mode", ["one", "compose"])
def test_every_augmentation_works_there(mode: Mode) -> None:
    images = torch.rand(64, 3, 32, 32).to(CUDA)
    views = Augment(AUGMENTATIONS, mode)(images, torch.Generator().manual_seed(0))
    assert (views.shape, views.device) == (images.shape, CUDA)


@pytest.mark.usefixtures("brief")
def test_images_on_the_gpu_are_not_copied_again_to_be_evaluated(
    gpu: FakeGPU, cuda_config: Config, few: FactorDataset
) -> None:
    fit(cuda_config, few)
    images = [copy.bytes for copy in gpu.copies if copy.dtype == torch.uint8 and not copy.pinned]
    assert images == [few.images.nbytes]


@pytest.mark.usefixtures("gpu", "brief")
@pytest.mark.parametrize("networks", ["cuda_config", "networks_of_the_paper"])
def test_a_training_goes_on_from_its_checkpoint(
    networks: str, few: FactorDataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    given: Config = request.getfixturevalue(networks)
    config = given.model_copy(update={"epochs": 2, "evaluate_every": 2})

    class Stop(Exception):  # noqa: N818
        pass

    def stop(epoch: Epoch) -> None:
        raise Stop

    with pytest.raises(Stop):
        fit(config, few, on_epoch=stop, checkpoint=tmp_path / "c.pt")
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    moments = saved["optimizer"]["state"][0]["exp_avg"]
    assert {value.device.type for value in [*saved["model"].values(), moments]} == {"cpu"}
    epochs: list[Epoch] = []
    found = fit(config, few, on_epoch=epochs.append, checkpoint=tmp_path / "c.pt")
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert {t.device for t in [*found.method.parameters(), *found.method.buffers()]} == {CUDA}


@pytest.mark.parametrize(("precision", "tf32"), [("float32", False), ("tf32", True), ("bfloat16", False)])
def test_products_are_rounded_to_tf32_only_where_a_config_says_so(
    gpu: FakeGPU, precision: str, tf32: bool, cuda_config: Config, few: FactorDataset, brief: object
) -> None:
    seen: set[tuple[bool, bool]] = set()
    default = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    assert default == (False, True)

    def on_step(done: int, total: int) -> None:
        seen.add((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))

    fit(cuda_config.model_copy(update={"precision": precision}), few, on_step=on_step)
    assert seen == {(tf32, tf32)}
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == default


def test_a_process_is_held_to_its_share(gpu: FakeGPU) -> None:
    for gpus in (0.25, 1, 2, 0):
        hold_to_share(gpus)
    assert gpu.shares == [0.25, 1.0, 1.0]


def test_room_counts_the_share_and_what_others_have_but_not_what_was_freed(gpu: FakeGPU) -> None:
    assert room_for_images(CUDA) == 16 * GIB
    gpu.cached = 30 * GIB
    assert room_for_images(CUDA) == 16 * GIB
    gpu.others = 20 * GIB
    assert room_for_images(CUDA) == 6 * GIB
    hold_to_share(0.25)
    assert room_for_images(CUDA) == 4 * GIB
