"""A dataset of images, each with one domain label and any number of attributes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from dcodr.errors import UserError
from dcodr.words import option

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
FitMode = Literal["crop", "pad", "stretch"]
"""Conversion of a rectangular image to a square: central square, white bars beside it, or scaled sides."""
FIT_MODES: tuple[FitMode, ...] = get_args(FitMode)
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Attribute:
    """A factor that the code must contain.

    Attributes:
        name: The factor's name, e.g. ``azimuth``.
        cardinality: Number of classes of a categorical attribute; ``None`` for a continuous one.
        cyclic: True if the last class is a neighbour of the first.
        margin: Largest class distance that still counts as a match in retrieval (supplement, section 3.2).
        classes: Names of the classes, in the order of their ids; empty if the ids are clear without names.
        derived: True if it follows from other attributes, as Cars3D's pose from azimuth and elevation. It is
            measured like any other, but excluded from the mean over attributes, where it would count twice.
    """

    name: str
    cardinality: int | None
    cyclic: bool = False
    margin: int = 0
    classes: tuple[str, ...] = ()
    derived: bool = False


@dataclass(frozen=True)
class DatasetSpec:
    """The meaning of a dataset's labels.

    Attributes:
        name: The dataset's name, e.g. ``cars3d``.
        domain: The name of the domain factor, e.g. ``car``.
        attributes: The factors that the code must contain.
        domains: Names of the domains, in the order of their ids. They are never empty in a store.
    """

    name: str
    domain: str
    attributes: tuple[Attribute, ...]
    domains: tuple[str, ...] = ()


class RawDataset(NamedTuple):
    """A dataset as its reader returns it, from which a store is written.

    Attributes:
        spec: The meaning of the labels.
        images: ``(n, H, H, 3)`` uint8 RGB, in chunks along N, which are read when they are needed.
        domain: ``(N,)`` whole numbers from 0; they may have gaps.
        attributes: For each attribute of the spec ``(N,)`` int64 or ``(N, K)`` float32.
        source: Origin of the images, and what was done to them.
        split: ``(N,)`` uint8, index into ``SPLITS``; ``None`` for a stratified split of 8 to 1 to 1.
        notes: More to record in the store's provenance, such as the fit of the images.
    """

    spec: DatasetSpec
    images: Iterable[Images]
    domain: npt.NDArray[np.int64]
    attributes: Mapping[str, Labels]
    source: str
    split: npt.NDArray[np.uint8] | None = None
    notes: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class FactorDataset:
    """Images and labels of a store; images may be memory-mapped.

    Attributes:
        spec: The meaning of the labels.
        images: ``(N, H, H, 3)`` uint8 RGB.
        domain: ``(N,)`` int64 in ``0..n_domains-1``.
        attributes: For each attribute of the spec ``(N,)`` int64 in ``0..cardinality-1`` if categorical,
            ``(N, K)`` float32 if continuous.
        split: ``(N,)`` uint8, index into ``SPLITS``.
        fingerprint: SHA-256 of images, labels, splits and spec, in hexadecimal.
        provenance: Origin and preparation of the data.
    """

    spec: DatasetSpec
    images: Images
    domain: npt.NDArray[np.int64]
    attributes: Mapping[str, Labels]
    split: npt.NDArray[np.uint8]
    fingerprint: str
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def n_domains(self) -> int:
        """Number of domains."""
        return int(self.domain.max()) + 1

    @property
    def image_size(self) -> int:
        """Height and width of the square images, in pixels."""
        return int(self.images.shape[1])

    @property
    def fit(self) -> FitMode:
        """The way in which rectangular images became squares; stores of earlier versions have crops."""
        return next((fit for fit in FIT_MODES if fit == self.provenance.get("fit")), "crop")

    def require(self, size: int, fit: FitMode, name: str) -> None:
        """Refuse images that were prepared otherwise than an encoder's training images.

        Args:
            size: Height and width of the encoder's images, in pixels.
            fit: The way in which they became squares.
            name: Names the store in the message.

        Raises:
            UserError: If these images have another size, or became squares in another way.
        """
        if size != self.image_size:
            raise UserError(
                f"{name} has images of {self.image_size} pixels, but {size} are needed: prepare the images "
                f"again with {option('image-size', size)}"
            )
        if fit != self.provenance.get("fit", fit):
            raise UserError(
                f"{name} was prepared with {option('fit', self.fit)}, but the encoder was trained with "
                f"{fit}: prepare the images again with {option('fit', fit)}"
            )

    def indices(self, split: Split) -> npt.NDArray[np.int64]:
        """Return the positions of the images of one split, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(split))


def stratified_split(
    domain: npt.NDArray[np.int64], seed: int, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> npt.NDArray[np.uint8]:
    """Divide images into train, validation and test, in the same proportions within every domain.

    Shares are whole images. Rounding errors carry over to the next domain, so that domains of few images are
    validated and tested too. Train keeps at least two images of every domain.

    Args:
        domain: ``(N,)`` domain labels; they may have gaps.
        seed: Seed of the permutation; the same seed gives the same splits.
        fractions: Shares of train, validation and test; they sum to 1.

    Returns:
        ``(N,)`` uint8, index into ``SPLITS``.

    Raises:
        UserError: If a domain has fewer than two images, because it would have no negatives.
    """
    # 1. Group the positions of images by domain.
    rng = np.random.default_rng(seed)
    split = np.zeros(len(domain), dtype=np.uint8)
    labels, counts = np.unique(domain, return_counts=True)
    domains = np.split(np.argsort(domain, kind="stable"), np.cumsum(counts)[:-1])
    # 2. Go through the domains. `owed` holds the images that each split is still due, in fractions of images.
    owed = np.zeros(len(SPLITS))
    for label, members in zip(labels, domains, strict=True):
        if len(members) < 2:
            raise UserError(
                f"domain {label} has 1 image; contrastive training needs at least 2 images of every domain: "
                "add images or leave the domain out"
            )
        members = rng.permutation(members)
        shares = len(members) * np.asarray(fractions)
        owed += shares
        for held_out in (SPLITS.index("validation"), SPLITS.index("test")):
            # No more than the domain's own share, rounded up, and never the last two images.
            n = min(round(owed[held_out]), math.ceil(shares[held_out]), len(members) - 2)
            split[members[:n]] = held_out
            members = members[n:]
            owed[held_out] -= n
    return split
