"""ML-VAE: its bound, and that a domain's images share one latent."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from dcodr.augmentations.views import Augment
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.ml_vae import MLVAE
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder


@pytest.fixture
def method() -> MLVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = Decoder(4, style_dim=5, channels=8, image_size=32)
        return MLVAE(Encoder("small", 4), Encoder("small", 4 + 2 * 5), decoder, nn.L1Loss(), 2, 4, 5, 3.0)


def a_batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 32, 32, generator=random)
    augment = Augment(("crop",), "one", {})
    drawn = Draws(noise=((8, 4), (2, 5))).of((8, 32, 32), augment, random)
    return Batch(images, torch.arange(2).repeat_interleave(4), torch.arange(8), augment, iter(drawn))


def test_the_losses_are_the_documented_ones(method: MLVAE) -> None:
    losses, batch = method.losses(a_batch()), a_batch()
    means, rest = method.encoder.raw(batch.anchors), method.posterior.raw(batch.anchors)
    own_noise, domain_noise = batch.noise(8, 4), batch.noise(2, 5)
    prior = Normal(0.0, 1.0)
    reconstruction, code_kl, domain_kl = torch.zeros(3)
    for domain in range(2):
        images = range(4 * domain, 4 * domain + 4)
        precision = sum((torch.exp(-rest[i, 9:]) for i in images), torch.zeros(5))
        weighted = sum((rest[i, 4:9] * torch.exp(-rest[i, 9:]) for i in images), torch.zeros(5))
        together = Normal(weighted / precision, precision**-0.5)
        domain_kl = domain_kl + kl_divergence(together, prior).sum() / 8
        shared = together.mean + together.stddev * domain_noise[domain]
        for i in images:
            alone = Normal(means[i], torch.exp(rest[i, :4] / 2))
            code_kl = code_kl + kl_divergence(alone, prior).sum() / 8
            image = method.decoder((alone.mean + alone.stddev * own_noise[i])[None], shared[None])
            reconstruction = reconstruction + (image[0] - batch.anchors[i]).abs().mean() / 8
    torch.testing.assert_close(losses["code_kl"], code_kl)
    torch.testing.assert_close(losses["domain_kl"], domain_kl)
    torch.testing.assert_close(losses["reconstruction"], reconstruction)
    expected = reconstruction + 3 * (code_kl + domain_kl) / (3 * 32 * 32)
    torch.testing.assert_close(losses["loss"], expected)


def test_codes_are_the_directions_of_the_means(method: MLVAE) -> None:
    method.eval()
    images = a_batch().anchors
    means = method.encoder.raw(images)
    torch.testing.assert_close(method.encoder(images), means / means.norm(dim=1, keepdim=True))
