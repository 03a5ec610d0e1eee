"""Embedding: what the encoder is given, and what comes back."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from dcodr.evaluation.embed import embed, float_images

CPU = torch.device("cpu")


class ChannelMeans(nn.Module):
    """Encodes an image as the mean of each channel, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.batches: list[Tensor] = []
        self.training_seen: set[bool] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(images)
        self.training_seen.add(self.norm.training)
        return images.mean(dim=(2, 3))


@pytest.fixture
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (23, 4, 4, 3), dtype=np.uint8)


def test_codes_are_the_normalised_outputs_for_the_chosen_images_in_order(
    images: npt.NDArray[np.uint8],
) -> None:
    indices = np.array([20, 3, 3, 7, 11])
    codes = embed(ChannelMeans(), images, indices, batch_size=2)
    means = images[indices].astype(np.float64).mean(axis=(1, 2))
    np.testing.assert_allclose(codes, means / np.linalg.norm(means, axis=1, keepdims=True), rtol=1e-5)
    assert codes.dtype == torch.float32


def test_encoder_is_given_floats_in_unit_range_channels_first_batch_by_batch(
    images: npt.NDArray[np.uint8],
) -> None:
    encoder = ChannelMeans()
    embed(encoder, images, np.arange(23), batch_size=10)
    assert [len(batch) for batch in encoder.batches] == [10, 10, 3]
    batch = encoder.batches[1]
    assert batch.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(batch, images[10:20].transpose(0, 3, 1, 2) / 255, rtol=1e-6)


def test_memory_mapped_images_give_the_same_codes(images: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    indices = np.arange(0, 23, 2)
    assert torch.equal(embed(ChannelMeans(), mapped, indices), embed(ChannelMeans(), images, indices))


@pytest.mark.parametrize("training", [True, False])
def test_encoder_runs_in_evaluation_mode_and_each_module_gets_its_mode_back(
    images: npt.NDArray[np.uint8], training: bool
) -> None:
    encoder = ChannelMeans().train(training)
    encoder.norm.eval()
    embed(encoder, images, np.arange(5))
    assert encoder.training_seen == {False}
    assert (encoder.training, encoder.norm.training) == (training, False)


def test_mode_is_restored_when_the_encoder_fails(images: npt.NDArray[np.uint8]) -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(5, 2))
    with pytest.raises(RuntimeError):
        embed(encoder, images, np.arange(5))
    assert all(module.training for module in encoder.modules())


def test_codes_can_be_trained_on(images: npt.NDArray[np.uint8]) -> None:
    codes = embed(ChannelMeans(), images, np.arange(5))
    probe = nn.Linear(3, 1)
    torch.autograd.backward(probe(codes).sum())
    assert probe.weight.grad is not None


def test_images_may_be_a_tensor(images: npt.NDArray[np.uint8]) -> None:
    indices = np.array([20, 3, 3, 7, 11])
    of_array, of_tensor = (
        embed(ChannelMeans(), given, indices) for given in (images, torch.from_numpy(images))
    )
    assert torch.equal(of_array, of_tensor)


def test_float_images() -> None:
    pixels = np.zeros((3, 2, 2, 3), np.uint8)
    pixels[2, 0, 1] = (255, 51, 0)
    found = float_images(pixels, np.array([2]), CPU)
    assert found.shape == (1, 3, 2, 2)
    assert found[0, :, 0, 1].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert found.sum() == pytest.approx(1.2)
