"""LORD: its objective, and that the encoder follows the embeddings without moving them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dcodr.augmentations.views import Augment
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.lord import LORD
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator


@pytest.fixture
def method() -> LORD:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = Generator(4, n_domains=2, domain_dim=5, channels=8, image_size=32)
        encoder = Encoder("small", 4)
        return LORD(encoder, generator, nn.L1Loss(), 10, code_dim=4, noise=0.5, norm_weight=0.1)


def a_batch() -> Batch:
    """Images 9, 8, ... 2 of the train split."""
    random = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 32, 32, generator=random)
    augment = Augment(("crop",), "one", {})
    drawn = Draws(noise=((8, 4),)).of((8, 32, 32), augment, random)
    return Batch(images, torch.arange(2).repeat_interleave(4), torch.arange(9, 1, -1), augment, iter(drawn))


def test_the_losses_are_the_documented_ones(method: LORD) -> None:
    losses, batch = method.losses(a_batch()), a_batch()
    table, codes = method.embedding.weight, method.encoder(batch.anchors)
    noise = batch.noise(8, 4)
    reconstruction, norm, encoding = torch.zeros(3)
    for i in range(8):
        own = table[9 - i]
        image = method.generator((own + 0.5 * noise[i])[None], batch.domain[i : i + 1])
        reconstruction = reconstruction + (image[0] - batch.anchors[i]).abs().mean() / 8
        norm = norm + (own**2).sum() / 8
        encoding = encoding + (2 - 2 * torch.dot(codes[i], own) / own.norm()) / 8
    torch.testing.assert_close(losses["reconstruction"], reconstruction)
    torch.testing.assert_close(losses["norm"], norm)
    torch.testing.assert_close(losses["encoding"], encoding)
    torch.testing.assert_close(losses["loss"], reconstruction + 0.1 * norm + encoding)


def test_the_encoder_moves_neither_embeddings_nor_generator(method: LORD) -> None:
    method.losses(a_batch())["encoding"].backward()  # type: ignore[no-untyped-call]
    moved = {name.split(".")[0] for name, p in method.named_parameters() if p.grad is not None}
    assert moved == {"encoder"}


def test_only_embeddings_of_the_batch_get_gradients(method: LORD) -> None:
    method.losses(a_batch())["loss"].backward()  # type: ignore[no-untyped-call]
    assert method.embedding.weight.grad is not None
    touched = method.embedding.weight.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False, False] + [True] * 8


def test_the_encoder_finds_the_directions_of_fixed_embeddings(method: LORD) -> None:
    batch = a_batch()
    encoder = torch.optim.Adam(method.learned()["encoder_lr"], lr=1e-2)
    for _ in range(60):
        encoder.zero_grad()
        method.losses(a_batch())["encoding"].backward()  # type: ignore[no-untyped-call]
        encoder.step()
    directions = F.normalize(method.embedding(batch.index), dim=1)
    assert (method.encoder(batch.anchors) * directions).sum(dim=1).min() > 0.9
