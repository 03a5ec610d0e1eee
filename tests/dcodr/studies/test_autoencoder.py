"""The autoencoder: shapes, learning, and what its training depends on."""

import numpy as np
import pytest
import torch
from torch import nn

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.embed import float_images
from dcodr.studies.autoencoder import Autoencoder, squared_errors, train_autoencoder

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [16, 64])
def test_images_to_images(size: int) -> None:
    output = Autoencoder(size)(torch.rand(2, 3, size, size))
    assert output.shape == (2, 3, size, size)
    assert output.min() >= 0
    assert output.max() <= 1


@pytest.mark.parametrize("size", [8, 40])
def test_a_size_that_cannot_be_halved(size: int) -> None:
    with pytest.raises(UserError, match=f"{size} pixels.*multiple of 16"):
        Autoencoder(size)


def test_it_learns_better_than_the_mean_image(tiny: FactorDataset) -> None:
    some = tiny.indices("train")[:128]
    small = tiny.images[:, ::4, ::4]
    losses: list[float] = []
    trained = train_autoencoder(small, some, 20, 0, CPU, lambda epoch, loss: losses.append(loss))
    images = float_images(small, some, CPU)
    with torch.inference_mode():
        error = (trained(images) - images).square().mean()
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 2
    assert error < (images.mean(dim=0) - images).square().mean()


def test_only_seed_and_training_images_matter(tiny: FactorDataset) -> None:
    some = tiny.indices("train")[:70]
    small = tiny.images[:, ::4, ::4]
    others_black = np.zeros_like(small)
    others_black[some] = small[some]
    torch.manual_seed(1)
    first, second, other = (
        train_autoencoder(images, some, 1, seed, CPU).state_dict()
        for images, seed in ((small, 3), (others_black, 3), (small, 4))
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["encoder.0.weight"], other["encoder.0.weight"])


def test_squared_errors_of_outputs_and_of_the_mean_image() -> None:
    levels = np.array([0, 255, 51, 255], dtype=np.uint8)
    train = np.broadcast_to(levels[:, None, None, None], (4, 2, 2, 3))
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 2, 2)
    indices = np.array([0, 1, 2])  # their mean is 0.4
    for size in (1, 512):
        errors = squared_errors(nn.Identity(), images, train, indices, size)
        assert errors == pytest.approx((0.0, (0.4**2 + 0.6**2) / 2))
        shifted = squared_errors(nn.Threshold(0.5, 0.5), images, train, indices, size)
        assert shifted[0] == pytest.approx(0.5**2 / 2)
