"""Invariance of an autoencoder to an augmentation (supplement, section 1.1)."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from dcodr.augmentations.views import Augment
from dcodr.models.perceptual import PerceptualDistance, distance_of_each
from dcodr.precision import float32_products
from dcodr.studies.published import Measures


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of images x from their augmented views t(x).

    Attributes:
        inputs: ``(n,)`` dist(x, t(x)).
        outputs: ``(n,)`` dist(AE(x), AE(t(x))).
    """

    inputs: Tensor
    outputs: Tensor

    def measures(self) -> Measures:
        """Compute the means of equations 1 and 2 over the images.

        Equation 2 is undefined for an image that the augmentation does not change, as a small rotation may
        not. ``f_norm`` averages over the other images. If no image changes, for example if the colours of
        gray images are changed, ``f_norm`` is 0.
        """
        changed = self.inputs > 0
        ratios = self.outputs[changed] / self.inputs[changed]
        return Measures(float(ratios.mean()) if len(ratios) else 0.0, float(self.outputs.mean()))


@float32_products(tf32=False)
def view_distances(
    autoencoder: nn.Module,
    distance: PerceptualDistance,
    images: Tensor,
    names: tuple[str, ...],
    seed: int = 0,
    batch_size: int = 32,
) -> dict[str, Distances]:
    """Apply one augmentation at a time, and measure the changes of inputs and outputs.

    Args:
        autoencoder: Maps images to images, in evaluation mode, on the device of the images.
        distance: Distance between images, on the same device.
        images: ``(n, 3, H, W)`` float32 in [0, 1].
        names: The augmentations, at the paper's strengths.
        seed: Seed of their random parameters.
        batch_size: Images at a time.

    Returns:
        The distances by augmentation, on the CPU.
    """
    generator = Generator().manual_seed(seed)
    augments = {name: Augment((name,)) for name in names}
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    with torch.inference_mode():
        for batch in torch.split(images, batch_size):
            # Features of the unaugmented images are computed once for all augmentations.
            inputs, outputs = distance.compared(batch), distance.compared(autoencoder(batch))
            for name, augment in augments.items():
                view = augment(batch, generator)
                apart = distance_of_each(inputs, distance.compared(view))
                moved = distance_of_each(outputs, distance.compared(autoencoder(view)))
                found[name].append(torch.stack((apart, moved)).cpu())
    return {name: Distances(*torch.cat(parts, dim=1)) for name, parts in found.items()}
