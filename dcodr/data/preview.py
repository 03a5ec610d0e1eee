"""A contact sheet: some images of some domains with their labels, to look at before training on them."""

from collections.abc import Sequence
from unicodedata import combining, normalize

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dcodr.data.dataset import SPLITS, Attribute, FactorDataset

MARGIN = 16
GAP = 8
BACKGROUND = (236, 236, 236)
MIN_SIDE = 128
"""Images are enlarged by a whole factor to about this width, in pixels."""
MAX_NUMBERS = 4
"""How many numbers of a continuous attribute are printed."""


def contact_sheet(
    data: FactorDataset, n_domains: int = 6, n_per_domain: int = 8, seed: int = 0
) -> Image.Image:
    """Draw a row of labelled images for each of some domains.

    Args:
        data: The dataset.
        n_domains: Number of rows, if there are so many domains.
        n_per_domain: Number of images a row, if the domain has so many.
        seed: Seed of the choice.

    Returns:
        RGB, as large as it takes.
    """
    rng = np.random.default_rng(seed)
    scale = max(1, round(MIN_SIDE / data.image_size))
    width = n_per_domain * (scale * data.image_size + GAP) - GAP
    title = f"{data.spec.name}: {len(data.images):,} images, {data.n_domains:,} domains"
    header = [_text(title, 20, width), _text(f"fingerprint {data.fingerprint[:16]}", 13, width)]
    rows = [_below(header, gap=0)]
    for domain in np.sort(rng.choice(data.n_domains, min(n_domains, data.n_domains), replace=False)):
        members = np.flatnonzero(data.domain == domain)
        shown = np.sort(rng.choice(members, min(n_per_domain, len(members)), replace=False))
        images = _beside([_cell(data, index, scale) for index in shown])
        rows.append(_below([_text(_heading(data, domain, members), 15, width), images], gap=2))
    return ImageOps.expand(_below(rows, gap=2 * GAP), MARGIN, BACKGROUND)


def _heading(data: FactorDataset, domain: int, members: npt.NDArray[np.int64]) -> str:
    name = data.spec.domains[domain] if data.spec.domains else domain
    counts = np.bincount(data.split[members], minlength=len(SPLITS))
    splits = ", ".join(f"{count:,} {split}" for split, count in zip(SPLITS, counts, strict=True))
    return f"{data.spec.domain} {name}: {splits}"


def _cell(data: FactorDataset, index: int, scale: int) -> Image.Image:
    """One image above its attribute values."""
    image = Image.fromarray(np.asarray(data.images[index]))
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    captions = [
        _text(f"{attribute.name} {_value(data, attribute, index)}", 12, image.width)
        for attribute in data.spec.attributes
    ]
    return _below([image, *captions], gap=2)


def _value(data: FactorDataset, attribute: Attribute, index: int) -> str:
    label = data.attributes[attribute.name][index]
    if attribute.cardinality is None:
        numbers = " ".join(f"{number:.3g}" for number in label[:MAX_NUMBERS])
        return numbers if len(label) <= MAX_NUMBERS else f"{numbers} ..."
    return attribute.classes[label] if attribute.classes else str(label)


def _text(text: str, size: int, width: int) -> Image.Image:
    """Text in lines of at most ``width`` pixels, broken between words, or within one that is too long.

    Accents are left out: Pillow's font has none.
    """
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    text = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
    lines = [""]
    for word in text.split():
        separator = " " if lines[-1] else ""
        if font.getlength(lines[-1] + separator + word) <= width:
            lines[-1] += separator + word
            continue
        lines.append("")
        for letter in word:
            if font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    lines = [line for line in lines if line]
    line_height = sum(font.getmetrics())
    image = Image.new("RGB", (width, line_height * len(lines)), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        draw.text((0, index * line_height), line, fill="black", font=font)
    return image


def _below(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    height = sum(block.height + gap for block in blocks) - gap
    sheet = Image.new("RGB", (max(block.width for block in blocks), height), BACKGROUND)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height + gap
    return sheet


def _beside(blocks: Sequence[Image.Image]) -> Image.Image:
    width = sum(block.width + GAP for block in blocks) - GAP
    row = Image.new("RGB", (width, max(block.height for block in blocks)), BACKGROUND)
    left = 0
    for block in blocks:
        row.paste(block, (left, 0))
        left += block.width + GAP
    return row
