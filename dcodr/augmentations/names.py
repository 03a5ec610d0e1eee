"""Names and strengths of the augmentations, without torch, so that settings and search spaces load fast."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dcodr.errors import UserError
from dcodr.plugins import is_outside, unknown
from dcodr.strict_yaml import did_you_mean

PAPER_13: tuple[str, ...] = (
    "horizontal_flip",
    "vertical_flip",
    "low_contrast",
    "low_brightness",
    "color_rotation",
    "random_erase",
    "affine",
    "grayscale",
    "crop",
    "high_brightness",
    "high_contrast",
    "high_saturation",
    "gaussian_blur",
)
"""The augmentations that the paper tried, in the order of its supplement's Table 1."""

AUGMENTATIONS: tuple[str, ...] = (*PAPER_13, "simsiam")
"""Every augmentation of this package, in canonical order. Augmentations from outside are named
``package.module:attribute`` (:mod:`dcodr.plugins`) and come after these, in alphabetical order."""

PAPER_SET: tuple[str, ...] = ("crop", "high_contrast", "high_saturation", "gaussian_blur")
"""The paper's choice (supplement, section 1.2), in canonical order."""


@dataclass(frozen=True)
class Strength:
    """A number that controls how much an augmentation changes an image."""

    paper: float
    low: float
    high: float


STRENGTHS: Mapping[str, Mapping[str, Strength]] = {
    "low_contrast": {"low": Strength(0.3, 0.0, 1.0), "high": Strength(0.8, 0.0, 1.0)},
    "low_brightness": {"low": Strength(0.3, 0.0, 1.0), "high": Strength(0.8, 0.0, 1.0)},
    "color_rotation": {"low": Strength(0.2, 0.0, 0.5), "high": Strength(0.5, 0.0, 0.5)},
    "random_erase": {"max_area": Strength(0.33, 0.02, 1.0)},
    "affine": {"degrees": Strength(40.0, 0.0, 180.0)},
    "crop": {"min_scale": Strength(0.5, 0.05, 1.0)},
    "high_brightness": {"low": Strength(1.4, 1.0, 10.0), "high": Strength(1.8, 1.0, 10.0)},
    "high_contrast": {"low": Strength(1.8, 1.0, 10.0), "high": Strength(3.0, 1.0, 10.0)},
    "high_saturation": {"low": Strength(1.8, 1.0, 10.0), "high": Strength(3.0, 1.0, 10.0)},
    "gaussian_blur": {"sigma": Strength(1.0, 0.1, 5.0)},
}
"""The strengths of each augmentation that has any (supplement, section 1.3).

``low`` and ``high`` bound the range from which a number is drawn for every image: the factor of contrast,
brightness or saturation, where 1 changes nothing; or the turn of the hue in either direction, in whole turns
of the colour wheel. ``max_area`` and ``min_scale`` are shares of the image's area, ``degrees`` is the largest
rotation in either direction, and ``sigma`` is the width of the blur in pixels.
"""

OUTSIDE: Mapping[str, Strength] = {"low": Strength(0.0, 0.0, 1.0), "high": Strength(1.0, 0.0, 1.0)}
"""The strengths of every augmentation from outside: the range from which one number is drawn for each image.
The augmentation gives 0 and 1 their meanings. The defaults stand in place of the paper's values."""


def known_strengths(name: str) -> Mapping[str, Strength]:
    """Return the strengths of an augmentation by name; none for an unknown one."""
    return OUTSIDE if is_outside(name) else STRENGTHS.get(name, {})


def canonical(names: Sequence[str]) -> tuple[str, ...]:
    """Sort a set of augmentations into canonical order.

    Args:
        names: Members of ``AUGMENTATIONS`` or names of augmentations from outside, each at most once, in any
            order.

    Returns:
        The same names in the order of ``AUGMENTATIONS``, then those from outside in alphabetical order.

    Raises:
        UserError: If there is no name, or a name is unknown or repeated.
    """
    received = f"augmentations: received {list(names)!r}"
    allowed = f"choose one or more, each once, of {', '.join(AUGMENTATIONS)}"
    outside = sorted(name for name in names if is_outside(name))
    wrong = [name for name in names if name not in AUGMENTATIONS and name not in outside]
    if wrong:
        raise UserError(f"{received}: {', '.join(map(repr, wrong))} is unknown; {allowed}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"{received}, which {'repeats a name' if names else 'is empty'}; {allowed}")
    return (*(name for name in AUGMENTATIONS if name in names), *outside)


def require_known(names: Sequence[str]) -> None:
    """Refuse unknown and repeated augmentations in a file. Nothing is imported.

    Raises:
        ValueError: If there are such names; the message suggests the closest known names.
    """
    once = list(dict.fromkeys(names))
    odd = [name for name in once if name not in AUGMENTATIONS and not is_outside(name)]
    wrong = [f"unknown augmentation {name!r}{unknown('augmentations', name, AUGMENTATIONS)}" for name in odd]
    # The allowed names are the same for all: they follow the last one.
    wrong = [*(text.partition("; allowed")[0] for text in wrong[:-1]), *wrong[-1:]]
    repeated = [f"{name} is given twice" for name in once if names.count(name) > 1]
    if repeated or wrong:
        raise ValueError("; ".join([*repeated, *wrong]))


def strengths_of(name: str, given: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return all strengths of an augmentation: the given valid ones, and the paper's for the others."""
    paper = {key: strength.paper for key, strength in known_strengths(name).items()}
    return paper | dict(given.get(name, {}))


def wrong_strengths(given: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find strengths that are unknown, out of bounds, or a range that ends below its start.

    Yields:
        The key of each mistake in ``given``, and a message.
    """
    for name, values in given.items():
        known = known_strengths(name)
        if not known:
            yield (name,), f"no augmentation with strengths{did_you_mean(name, STRENGTHS)}"
            continue
        wrong = [((name, key), message) for key, message in _wrong_values(values, known)]
        yield from wrong
        if "low" in known and not wrong:
            low, high = strengths_of(name, given).values()
            if low > high:
                default = " (the default)" if is_outside(name) else " (the paper's)"
                low_is, high_is = ("" if key in values else default for key in ("low", "high"))
                yield (name,), f"low {low}{low_is} is above high {high}{high_is}"


def _wrong_values(values: Mapping[str, float], known: Mapping[str, Strength]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if key not in known:
            yield key, f"unknown strength{did_you_mean(key, known)}"
        elif not known[key].low <= value <= known[key].high:
            yield key, f"should be from {known[key].low:g} to {known[key].high:g}"
