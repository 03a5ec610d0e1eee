"""A small dataset of chairs, for tests of stores."""

from typing import Any

import numpy as np

from dcodr.data.dataset import Attribute, DatasetSpec, stratified_split

SPEC = DatasetSpec(
    "chairs",
    "chair",
    (
        Attribute("angle", 12, cyclic=True, margin=1),
        Attribute("colour", 3, classes=("red", "green", "blue")),
        Attribute("landmarks", None),
    ),
)


def content(n_images: int = 60, size: int = 8, seed: int = 0) -> dict[str, Any]:
    """Arguments of ``write_store``."""
    rng = np.random.default_rng(seed)
    domain = rng.permutation(np.arange(n_images) % 5)
    return {
        "spec": SPEC,
        "images": rng.integers(0, 256, (n_images, size, size, 3), dtype=np.uint8),
        "domain": domain,
        "attributes": {
            "angle": rng.integers(0, 12, n_images),
            "colour": rng.integers(0, 3, n_images),
            "landmarks": rng.random((n_images, 4), dtype=np.float32),
        },
        "split": stratified_split(domain, seed),
        "provenance": {"source": "drawn", "seed": seed, "noise": 0.5},
    }
