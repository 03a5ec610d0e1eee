"""A contact sheet: some images of some domains with their labels, for a look before training."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from dcodr.data.dataset import SPLITS, Attribute, FactorDataset
from dcodr.data.sheet import BACKGROUND, GAP, MARGIN, below, beside, text
from dcodr.words import counted

MIN_SIDE = 128
"""Approximate width in pixels to which images are enlarged, by a whole factor."""
MAX_NUMBERS = 4
"""Largest number of values that are printed of a continuous attribute."""


def contact_sheet(
    data: FactorDataset, n_domains: int = 6, n_per_domain: int = 8, seed: int = 0
) -> Image.Image:
    """Draw a row of labelled images for each of some domains; the seed is that of the choice."""
    rng = np.random.default_rng(seed)
    scale = max(1, round(MIN_SIDE / data.image_size))
    width = n_per_domain * (scale * data.image_size + GAP) - GAP
    title = f"{data.spec.name}: {counted(len(data.images), 'image')}, {counted(data.n_domains, 'domain')}"
    header = [text(title, 20, width), text(f"fingerprint {data.fingerprint[:16]}", 13, width)]
    rows = [below(header, gap=0)]
    for domain in np.sort(rng.choice(data.n_domains, min(n_domains, data.n_domains), replace=False)):
        members = np.flatnonzero(data.domain == domain)
        shown = np.sort(rng.choice(members, min(n_per_domain, len(members)), replace=False))
        images = beside([_cell(data, index, scale) for index in shown])
        rows.append(below([text(_heading(data, domain, members), 15, width), images], gap=2))
    return ImageOps.expand(below(rows, gap=2 * GAP), MARGIN, BACKGROUND)


def _heading(data: FactorDataset, domain: int, members: npt.NDArray[np.int64]) -> str:
    name = data.spec.domains[domain] if data.spec.domains else domain
    counts = np.bincount(data.split[members], minlength=len(SPLITS))
    splits = ", ".join(f"{count:,} {split}" for split, count in zip(SPLITS, counts, strict=True))
    return f"{data.spec.domain} {name}: {splits}"


def _cell(data: FactorDataset, index: int, scale: int) -> Image.Image:
    """Draw one image above its attribute values."""
    image = Image.fromarray(np.asarray(data.images[index]))
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    captions = [
        text(f"{attribute.name} {_value(data, attribute, index)}", 12, image.width)
        for attribute in data.spec.attributes
    ]
    return below([image, *captions], gap=2)


def _value(data: FactorDataset, attribute: Attribute, index: int) -> str:
    label = data.attributes[attribute.name][index]
    if attribute.cardinality is None:
        numbers = " ".join(f"{number:.3g}" for number in label[:MAX_NUMBERS])
        return numbers if len(label) <= MAX_NUMBERS else f"{numbers} ..."
    return attribute.classes[label] if attribute.classes else str(label)
