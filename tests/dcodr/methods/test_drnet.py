"""DrNet: its objective, its pairs, and that neither side of the game is moved by the other's loss."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dcodr.augmentations.views import Augment
from dcodr.config import BatchConfig, Config
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.drnet import DrNet
from dcodr.models.discriminator import PairDiscriminator
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder

ANCHORS = range(9)
PARTNER = [2, 0, 1, 5, 3, 4, 8, 6, 7]  # of each image, in its own domain
STRANGER = [6, 7, 8, 0, 1, 2, 3, 4, 5]  # of each image, in another


def build(n_domains: int) -> DrNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoders = Encoder("small", 4), Encoder("small", 5)
        decoder = Decoder(4, style_dim=5, channels=8, image_size=32)
        return DrNet(*encoders, decoder, PairDiscriminator(4, 16), nn.L1Loss(), n_domains, 2.0, 0.5)


@pytest.fixture
def method() -> DrNet:
    return build(3)


def a_batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(9, 3, 32, 32, generator=random)
    augment = Augment(("crop",), "one", {})
    drawn = Draws().of((9, 32, 32), augment, random)
    return Batch(images, torch.arange(3).repeat_interleave(3), torch.arange(9), augment, iter(drawn))


def test_the_losses_are_the_documented_ones(method: DrNet) -> None:
    losses, images = method.losses(a_batch()), a_batch().anchors
    codes, domain_codes = method.encoder(images), method.domain_encoder(images)
    reconstruction, similarity, confusion, discrimination = torch.zeros(4)
    for i, partner, stranger in zip(ANCHORS, PARTNER, STRANGER, strict=True):
        image = method.decoder(codes[i][None], domain_codes[partner][None])
        reconstruction = reconstruction + (image[0] - images[i]).abs().mean() / 9
        similarity = similarity + ((domain_codes[i] - domain_codes[partner]) ** 2).sum() / 9
        same = torch.sigmoid(method.discriminator(codes[i][None], codes[partner][None]))[0]
        different = torch.sigmoid(method.discriminator(codes[i][None], codes[stranger][None]))[0]
        confusion = confusion - (same.log() + (1 - same).log()) / 2 / 9
        discrimination = discrimination - (same.log() + (1 - different).log()) / 2 / 9
    torch.testing.assert_close(losses["reconstruction"], reconstruction)
    torch.testing.assert_close(losses["similarity"], similarity)
    torch.testing.assert_close(losses["confusion"], confusion)
    torch.testing.assert_close(losses["discrimination"], discrimination)
    expected = reconstruction + 2 * similarity + 0.5 * confusion + discrimination
    torch.testing.assert_close(losses["loss"], expected)


@pytest.mark.parametrize(
    ("loss", "moves"),
    [
        ("discrimination", {"discriminator"}),
        ("confusion", {"encoder"}),
        ("similarity", {"domain_encoder"}),
        ("reconstruction", {"encoder", "domain_encoder", "decoder"}),
    ],
)
def test_each_loss_moves_its_own_networks(method: DrNet, loss: str, moves: set[str]) -> None:
    method.losses(a_batch())[loss].backward()  # type: ignore[no-untyped-call]
    moved = {name.split(".")[0] for name, p in method.named_parameters() if p.grad is not None}
    assert moved == moves


def test_the_discriminator_learns_what_codes_tell_of_the_domain(method: DrNet) -> None:
    codes = F.normalize(torch.eye(4)[:3].repeat_interleave(3, dim=0) + 0.1 * torch.eye(9)[:, :4], dim=1)
    optimizer = torch.optim.Adam(method.discriminator.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = method.discrimination(codes)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss < 0.1 * math.log(2)


def test_pairs_of_two_domains_need_two() -> None:
    with pytest.raises(ValueError, match="n_domains is 1"):
        build(1)
    with pytest.raises(ValueError, match=r"batch\.n_domains is 1, but drnet"):
        Config(method="drnet", batch=BatchConfig(n_domains=1))
