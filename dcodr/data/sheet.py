"""Layout of images and lines of text on a sheet."""

from collections.abc import Sequence
from unicodedata import combining, normalize

from PIL import Image, ImageDraw, ImageFont

MARGIN = 16
GAP = 8
BACKGROUND = (236, 236, 236)


def text(words: str, size: int, width: int) -> Image.Image:
    """Draw text in lines of at most ``width`` pixels; break between words, and within overlong words.

    Accents are removed, because Pillow's font has none.
    """
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    words = "".join(letter for letter in normalize("NFKD", words) if not combining(letter))
    lines = [""]
    for word in words.split():
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


def below(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    """Stack images vertically, ``gap`` pixels apart."""
    height = sum(block.height + gap for block in blocks) - gap
    sheet = Image.new("RGB", (max(block.width for block in blocks), height), BACKGROUND)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height + gap
    return sheet


def beside(blocks: Sequence[Image.Image]) -> Image.Image:
    """Place images side by side."""
    width = sum(block.width + GAP for block in blocks) - GAP
    row = Image.new("RGB", (width, max(block.height for block in blocks)), BACKGROUND)
    left = 0
    for block in blocks:
        row.paste(block, (left, 0))
        left += block.width + GAP
    return row
