"""Settings and augmentations in words, for people; files keep the names of the settings."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tuning.space.params import CategoricalParam, Param, SubsetParam

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


def range_text(param: Param) -> str:
    """Return the values that are searched, e.g. ``0.05 to 0.5, logarithmic`` or ``1 to 4 of crop, flip``."""
    if isinstance(param, CategoricalParam):
        return ", ".join(map(str, param.choices))
    if isinstance(param, SubsetParam):
        return f"{param.min_size} to {param.largest} of {', '.join(map(in_words, param.members))}"
    step = "" if param.step is None else f" in steps of {param.step:g}"
    return f"{param.low:g} to {param.high:g}{step}{', logarithmic' * param.log}"


def label(values: Mapping[str, Any]) -> str:
    """Return a trial's values in one line, e.g. ``crop + blur, temperature 0.14, encoder lr 0.001``."""
    return ", ".join(
        subset_text(value) if isinstance(value, tuple) else f"{in_words(key)} {value_text(value)}"
        for key, value in values.items()
    )
