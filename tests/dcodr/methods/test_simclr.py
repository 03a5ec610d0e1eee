"""SimCLR: what is compared, and what is not known of domains."""

import dataclasses

import torch

from dcodr.augmentations.views import Augment
from dcodr.losses.nt_xent import NTXentLoss
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.simclr import SimCLR
from dcodr.models.encoder import Encoder


def a_batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 32, 32, generator=random)
    augment = Augment(("grayscale",), "one", {})
    drawn = Draws(views=1).of((8, 32, 32), augment, random)
    return Batch(images, torch.arange(2).repeat_interleave(4), torch.arange(8), augment, iter(drawn))


def test_without_projection_the_codes_themselves_are_compared() -> None:
    method = SimCLR(Encoder("small", 4), 0.2, code_dim=4, projection_dim=None)
    batch = a_batch()
    expected = NTXentLoss(0.2)(method.encoder(batch.anchors), method.encoder(batch.views()))
    torch.testing.assert_close(method.losses(a_batch())["loss"], expected)


def test_the_projection_is_trained_beside_the_encoder_but_no_part_of_it() -> None:
    method = SimCLR(Encoder("small", 4), 0.2, code_dim=4, projection_dim=6)
    assert len(method.learned()["encoder_lr"]) == len(list(method.encoder.parameters())) + 4
    assert method.encoder(torch.rand(2, 3, 32, 32)).shape == (2, 4)


def test_domains_make_no_difference() -> None:
    method = SimCLR(Encoder("small", 4), 0.2, code_dim=4, projection_dim=6)
    other = dataclasses.replace(a_batch(), domain=torch.zeros(8, dtype=torch.int64))
    assert torch.equal(method.losses(a_batch())["loss"], method.losses(other)["loss"])
