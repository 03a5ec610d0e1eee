"""Training steps of DCoDR and DCoDR-norec: ResNet-50, 4 domains x 32 images, fp32, contiguous memory."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torchvision.models import resnet50, vgg16

from benchmarks.reference.generator import Generator
from benchmarks.reference.losses import contrastive_loss
from benchmarks.reference.perceptual import PerceptualDistance
from benchmarks.reference.views import views
from dcodr.augmentations.names import PAPER_SET
from dcodr.models.perceptual import DEFAULT_LAYERS

N_DOMAINS, N_PER_DOMAIN = 4, 32
TEMPERATURE, RECONSTRUCTION_WEIGHT = 0.2, 0.3
BETAS = (0.5, 0.999)


def stepper(
    images: npt.NDArray[np.uint8], domain: npt.NDArray[np.int64], reconstruct: bool, device: torch.device
) -> Callable[[], float]:
    """Return a function that trains on one batch and returns the loss; weights are random.

    Args:
        images: ``(N, 64, 64, 3)``.
        domain: ``(N,)``.
        reconstruct: True for DCoDR, false for DCoDR-norec.
        device: Device of the computation.
    """
    encoder = resnet50(num_classes=128).to(device).train()
    generator = Generator(128, int(domain.max()) + 1, 256, 256, 64).to(device)
    distance = PerceptualDistance(vgg16_features(), DEFAULT_LAYERS["vgg16"]).to(device)
    optimisers = [torch.optim.Adam(encoder.parameters(), lr=1e-4, betas=BETAS)]
    if reconstruct:
        optimisers.append(torch.optim.Adam(generator.parameters(), lr=3e-4, betas=BETAS))
    random = np.random.default_rng(0)

    def step() -> float:
        chosen = _batch(domain, random)
        anchors = torch.stack([torch.from_numpy(images[i]).permute(2, 0, 1).float() / 255 for i in chosen])
        anchors, positives = anchors.to(device), views(images[chosen], PAPER_SET).to(device)
        codes = nn.functional.normalize(encoder(anchors))
        loss = contrastive_loss(codes, nn.functional.normalize(encoder(positives)), TEMPERATURE, N_DOMAINS)
        if reconstruct:
            made = generator(codes, torch.from_numpy(domain[chosen]).to(device))
            loss = loss + RECONSTRUCTION_WEIGHT * distance(made, anchors)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        return loss.item()

    return step


def vgg16_features() -> nn.Sequential:
    """Return VGG-16's layers up to the last compared one, with random weights."""
    features: nn.Sequential = vgg16().features
    for module in features:
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return features[: max(DEFAULT_LAYERS["vgg16"]) + 1]


def _batch(domain: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the positions of a batch, domain by domain."""
    drawn = random.choice(int(domain.max()) + 1, N_DOMAINS, replace=False)
    return np.concatenate(
        [random.choice(np.flatnonzero(domain == d), N_PER_DOMAIN, replace=False) for d in drawn]
    )
