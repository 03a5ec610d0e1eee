"""Everything but a training computes in full float32 on a GPU, whatever PyTorch's default is."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.embeddings.embedding import embed_images
from dcodr.embeddings.sources import open_images
from dcodr.evaluation.embed import embed
from dcodr.methods.build import build_method
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.models.perceptual import PerceptualDistance
from dcodr.studies.autoencoder import Autoencoder, squared_errors, train_autoencoder
from dcodr.studies.invariance import view_distances
from dcodr.training.pictures import retrieval_picture, swap_picture
from tests.gpu.fake import CUDA, FakeGPU


def dcodr(config: Config, data: FactorDataset) -> Method:
    return build_method(config, data.n_domains, data.image_size, len(data.indices("train"))).to(CUDA)


def some_images(data: FactorDataset) -> torch.Tensor:
    return torch.rand(4, 3, data.image_size, data.image_size).to(CUDA)


def embedded(config: Config, data: FactorDataset) -> None:
    embed(Encoder("small", 8).to(CUDA), data.images, np.arange(4))


def embedded_store(config: Config, data: FactorDataset) -> None:
    embed_images(Encoder("small", 8), open_images(config.store, warn=pytest.fail), "e", image_size=64)


def nearest(config: Config, data: FactorDataset) -> None:
    retrieval_picture(dcodr(config, data), data, "validation", CUDA)


def rebuilt(config: Config, data: FactorDataset) -> None:
    swap_picture(dcodr(config, data), data, "validation", CUDA)


def autoencoder(config: Config, data: FactorDataset) -> None:
    train_autoencoder(data.images, data.indices("train")[:4], 1, 0, CUDA)


def errors(config: Config, data: FactorDataset) -> None:
    squared_errors(Autoencoder(data.image_size).to(CUDA), some_images(data), data.images, np.arange(4))


def distances(config: Config, data: FactorDataset) -> None:
    distance = PerceptualDistance(nn.Sequential(nn.Conv2d(3, 4, 3)), (0,)).to(CUDA)
    view_distances(Autoencoder(data.image_size).to(CUDA), distance, some_images(data), ("horizontal_flip",))


WORKS = (embedded, embedded_store, nearest, rebuilt, autoencoder, errors, distances)


@pytest.mark.parametrize("work", WORKS, ids=[work.__name__ for work in WORKS])
def test_everything_but_a_training_is_computed_in_full_float32(
    work: Callable[[Config, FactorDataset], None], gpu: FakeGPU, cuda_config: Config, few: FactorDataset
) -> None:
    assert torch.backends.cudnn.allow_tf32
    work(cuda_config, few)
    assert set(gpu.rounded) == {False}
    assert torch.backends.cudnn.allow_tf32
