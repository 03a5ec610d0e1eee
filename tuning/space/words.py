"""Settings and augmentations in words, for people; files keep the names of the settings."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_WORDS: Mapping[str, str] = {
    "horizontal_flip": "flip",
    "color_rotation": "hue",
    "random_erase": "erase",
    "gaussian_blur": "blur",
    "high_saturation": "saturation",
    "reconstruction_weight": "reconstruction",
}
"""Shorter words than the name itself; nothing else has these words."""


def in_words(name: str) -> str:
    """Return the words of a setting or an augmentation, e.g. ``low brightness``."""
    last = re.split("[.:]", name)[-1]
    return _WORDS.get(last, last.replace("_", " "))


def subset_text(names: Iterable[object]) -> str:
    """Return a set of augmentations in words, e.g. ``flip + low brightness``."""
    return " + ".join(in_words(str(name)) for name in names) or "none"


def value_text(value: object) -> str:
    """Return a setting's value: numbers to three digits, sets in words."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return subset_text(value) if isinstance(value, tuple) else str(value)


def label(values: Mapping[str, Any]) -> str:
    """Return a trial's values in one line, e.g. ``crop + blur, temperature 0.14, encoder lr 0.001``."""
    return ", ".join(
        subset_text(value) if isinstance(value, tuple) else f"{in_words(key)} {value_text(value)}"
        for key, value in values.items()
    )
