"""The methods of this package by name, their own settings, and the settings that each method uses."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from dcodr.strict_yaml import StrictModel

MethodName = Literal["dcodr", "dcodr_norec", "simclr", "lord", "ml_vae", "drnet"]


class SimCLRConfig(StrictModel):
    """Settings of ``simclr``."""

    projection_dim: int | None = Field(default=128, ge=2)
    """Width of the compared projections, 128 in SimCLR's paper; ``null`` compares the codes directly."""


class LORDConfig(StrictModel):
    """Settings of ``lord``; the defaults are those of the authors' PyTorch code."""

    noise: float = Field(default=1.0, ge=0)
    """Standard deviation of the noise on the embeddings of images."""
    norm_weight: float = Field(default=1e-4, ge=0)
    """Weight of the embeddings' squared length, relative to the reconstruction."""


class MLVAEConfig(StrictModel):
    """Settings of ``ml_vae``."""

    kl_weight: float = Field(default=1.0, ge=0)
    """Weight of the divergences from the prior; 1 gives the bound of the ML-VAE paper."""


class DrNetConfig(StrictModel):
    """Settings of ``drnet``; the defaults are those of its paper for still images (NORB)."""

    similarity_weight: float = Field(default=1.0, ge=0)
    """Weight of the distance between two domain codes of one domain."""
    adversarial_weight: float = Field(default=0.1, ge=0)
    """Weight of the loss that trains the codes against the discriminator. The authors' later code has 1e-4,
    as do the paper's tables here (:func:`dcodr.config.paper_settings.paper_config`)."""
    discriminator_lr: float = Field(default=2e-3, gt=0)
    """Learning rate of the discriminator."""


SHUFFLED: frozenset[MethodName] = frozenset({"simclr", "lord"})
"""Methods that are trained on shuffled batches of any images, as in their authors' codes. The others need
several images of each domain in a batch: as negatives, to share a latent, or as pairs."""

_VIEWS = ("augmentations", "augmentation_mode", "strengths")
_GENERATOR = ("generator", "perceptual", "generator_lr")

_USED: Mapping[str, tuple[str, ...]] = {
    "dcodr": (*_VIEWS, *_GENERATOR, "temperature", "embedding_lr", "reconstruction_weight"),
    "dcodr_norec": (*_VIEWS, "temperature"),
    "simclr": (*_VIEWS, "temperature", "simclr"),
    "lord": (*_GENERATOR, "embedding_lr", "lord"),
    "ml_vae": (*_GENERATOR, "ml_vae"),
    "drnet": (*_GENERATOR, "drnet"),
}
"""Settings by method, except those that all methods use."""
_OUTSIDE = (*_VIEWS, *_GENERATOR, "temperature", "embedding_lr", "reconstruction_weight", "method_settings")
"""Settings that a method from outside may use: all that several methods share, and its own."""


def has_effect(key: str, method: str) -> bool:
    """Tell whether a method uses a setting, given by its dotted key.

    A method from outside is taken to use every setting that is not another method's own.
    """
    first = key.split(".")[0]
    everything = (*_USED.values(), _OUTSIDE)
    return first in _USED.get(method, _OUTSIDE) or not any(first in used for used in everything)
