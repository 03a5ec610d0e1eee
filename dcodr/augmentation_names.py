"""The names of the augmentations, importable without torch: settings and search spaces need no more."""

from collections.abc import Sequence

from dcodr.errors import UserError

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
"""Every augmentation, in canonical order."""

PAPER_SET: tuple[str, ...] = ("crop", "high_contrast", "high_saturation", "gaussian_blur")
"""The paper's own choice (supplement, section 1.2), in canonical order."""


def canonical(names: Sequence[str]) -> tuple[str, ...]:
    """Bring a set of augmentations into canonical order.

    Args:
        names: Members of ``AUGMENTATIONS``, each at most once, in any order.

    Returns:
        The same names in the order of ``AUGMENTATIONS``.

    Raises:
        UserError: If there is no name, an unknown one, or one that stands twice.
    """
    received = f"augmentations: received {list(names)!r}"
    allowed = f"choose one or more, each once, of {', '.join(AUGMENTATIONS)}"
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise UserError(f"{received}: {', '.join(map(repr, unknown))} is unknown; {allowed}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"{received}, which {'repeats a name' if names else 'is empty'}; {allowed}")
    return tuple(name for name in AUGMENTATIONS if name in names)
