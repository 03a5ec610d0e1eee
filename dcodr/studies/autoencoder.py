"""A plain convolutional autoencoder, trained without augmentations (supplement, section 1.1)."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcodr.errors import UserError
from dcodr.evaluation.embed import float_images
from dcodr.precision import float32_products
from dcodr.seeding import seeded

CHANNELS = (16, 32, 64, 128)
"""Number of maps after each halving of the resolution."""
CODE_DIM = 128
BATCH_SIZE = 64
LEARNING_RATE = 1e-3


class Autoencoder(nn.Module):
    """Four convolutions that halve the resolution, a linear bottleneck, and a mirrored decoder.

    Args:
        image_size: Height and width of the images in pixels, a multiple of 16.

    Shapes:
        images and output ``(B, 3, H, H)`` in [0, 1].

    Raises:
        UserError: If the size is not a multiple of 16.
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        grid, rest = divmod(image_size, 2 ** len(CHANNELS))
        if rest or not grid:
            raise UserError(
                f"the autoencoder halves images {len(CHANNELS)} times, but those of this dataset are "
                f"{image_size} pixels wide: prepare it again with a multiple of {2 ** len(CHANNELS)}"
            )
        widths = (3, *CHANNELS)
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for outer, inner in pairwise(widths):
            down += [nn.Conv2d(outer, inner, 4, stride=2, padding=1), nn.BatchNorm2d(inner), nn.ReLU()]
            last = [nn.Sigmoid()] if outer == 3 else [nn.BatchNorm2d(outer), nn.ReLU()]
            # The decoder mirrors the encoder, so its layers are put in front.
            up = [nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1), *last, *up]
        n_features = CHANNELS[-1] * grid**2
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(n_features, CODE_DIM))
        unflatten = nn.Unflatten(1, (CHANNELS[-1], grid, grid))
        self.decoder = nn.Sequential(nn.Linear(CODE_DIM, n_features), unflatten, nn.ReLU(), *up)

    def forward(self, images: Tensor) -> Tensor:
        """Encode and decode images."""
        decoded: Tensor = self.decoder(self.encoder(images))
        return decoded


@float32_products(tf32=False)
def train_autoencoder(
    images: npt.NDArray[np.uint8],
    indices: npt.NDArray[np.int64],
    epochs: int,
    seed: int,
    device: torch.device,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Autoencoder:
    """Train on the squared error of pixels.

    Args:
        images: ``(N, H, H, 3)`` uint8 RGB, possibly memory-mapped.
        indices: ``(n,)`` positions of the training images.
        epochs: Passes over the training images.
        seed: Seed of weights and order; the same seed gives the same autoencoder on the same kind of CPU.
        device: Device of the computation.
        on_epoch: Called after each epoch with its number from 1 and its mean squared error.

    Returns:
        The autoencoder on ``device``, in evaluation mode.

    Raises:
        UserError: If the size of the images is not a multiple of 16.
    """
    # Weights come from torch's global generator, whose state the caller gets back unchanged.
    with seeded(seed, device):
        autoencoder = Autoencoder(images.shape[1]).to(device)
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=LEARNING_RATE)
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        total = torch.zeros((), device=device)  # on the device, so that no step waits for it
        order = rng.permutation(indices)
        for start in range(0, len(order), BATCH_SIZE):
            batch = float_images(images, order[start : start + BATCH_SIZE], device).contiguous()
            loss = F.mse_loss(autoencoder(batch), batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach() * len(batch)
        on_epoch(epoch, float(total) / len(order))
    return autoencoder.eval()


@float32_products(tf32=False)
def squared_errors(
    autoencoder: nn.Module,
    images: Tensor,
    train_images: npt.NDArray[np.uint8],
    train_indices: npt.NDArray[np.int64],
    batch_size: int = 512,
) -> tuple[float, float]:
    """Measure the distance of outputs from inputs, and of the mean training image from the same inputs.

    An autoencoder that is not closer than the mean image has not learned to reconstruct its inputs.

    Args:
        autoencoder: Maps images to images, in evaluation mode, on the device of the images.
        images: ``(n, 3, H, H)`` float32 in [0, 1].
        train_images: ``(N, H, H, 3)`` uint8 RGB, possibly memory-mapped.
        train_indices: Positions of the training images.
        batch_size: Images at a time.

    Returns:
        The mean squared errors of pixels: of the outputs, then of the mean image.
    """
    total = np.zeros(train_images.shape[1:], dtype=np.int64)
    for start in range(0, len(train_indices), batch_size):
        total += train_images[train_indices[start : start + batch_size]].sum(axis=0, dtype=np.int64)
    mean = torch.from_numpy(total / (255 * len(train_indices))).permute(2, 0, 1).to(images)
    with torch.inference_mode():
        outputs = torch.cat([autoencoder(batch) for batch in torch.split(images, batch_size)])
        return float((outputs - images).square().mean()), float((mean - images).square().mean())
