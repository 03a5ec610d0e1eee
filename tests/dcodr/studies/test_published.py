"""The transcription of Table 2 against Table 1, which the supplement says is its average."""

import numpy as np
import pytest

from dcodr.augmentations.names import PAPER_13
from dcodr.studies.published import AUTOENCODER

TABLE_1 = {
    "horizontal_flip": (0.868, 0.2489),
    "vertical_flip": (0.791, 0.3125),
    "low_contrast": (1.841, 0.0903),
    "low_brightness": (0.759, 0.1666),
    "color_rotation": (0.876, 0.1020),
    "random_erase": (0.796, 0.1967),
    "affine": (0.650, 0.3820),
    "grayscale": (0.787, 0.0570),
    "crop": (0.842, 0.2053),
    "high_brightness": (0.806, 0.0759),
    "high_contrast": (0.433, 0.0572),
    "high_saturation": (0.579, 0.0261),
    "gaussian_blur": (0.315, 0.0378),
}


SLIPS = {"gaussian_blur": (3.0, 3.0), "random_erase": (1.0, 0.1967 / 0.1985)}
"""Cells of Table 1 that are not the average: a sum of the three datasets, and a value 1 % too low."""


@pytest.mark.parametrize("name", PAPER_13)
def test_table_1_averages_table_2(name: str) -> None:
    average = np.mean([table[name] for table in AUTOENCODER.values()], axis=0)
    expected = np.divide(TABLE_1[name], SLIPS.get(name, 1.0))
    assert np.all(np.abs(average - expected) < (0.0006, 0.0004))
