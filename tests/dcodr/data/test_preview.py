"""Tests of ``dcodr.data.preview``."""

import numpy as np
import pytest
from PIL import Image

from dcodr.data.dataset import Attribute, DatasetSpec, FactorDataset
from dcodr.data.preview import contact_sheet
from dcodr.data.sheet import BACKGROUND, MARGIN


def flat_dataset(name: str = "flat", size: int = 64, label: str = "one") -> FactorDataset:
    """Twelve images of one colour each, three of each of four domains."""
    colours = np.array([[20 * index, 200, 90] for index in range(12)], np.uint8)  # text is never so green
    return FactorDataset(
        spec=DatasetSpec(
            name, "tile", (Attribute("kind", 2, classes=(label, label[::-1])), Attribute("x", None))
        ),
        images=np.broadcast_to(colours[:, None, None], (12, size, size, 3)).copy(),
        domain=np.repeat(np.arange(4), 3),
        attributes={"kind": np.arange(12) % 2, "x": np.linspace(0, 1, 24, dtype=np.float32).reshape(12, 2)},
        split=np.tile(np.arange(3, dtype=np.uint8), 4),
        fingerprint="0123456789abcdef" * 4,
    )


def positions(sheet: Image.Image, colour: np.ndarray) -> np.ndarray:
    """Rows and columns ``(n, 2)`` of the pixels of one colour."""
    return np.argwhere((np.asarray(sheet) == colour).all(axis=-1))


@pytest.mark.parametrize(("size", "shown_size"), [(16, 128), (64, 128), (100, 100), (200, 200)])
def test_every_image_is_shown_whole_and_by_domain(size: int, shown_size: int) -> None:
    data = flat_dataset(size=size)
    sheet = contact_sheet(data, n_domains=4, n_per_domain=3)
    corners = []
    for image in data.images:
        pixels = positions(sheet, image[0, 0])
        assert len(pixels) == shown_size**2
        corners.append(pixels.min(axis=0))
    rows, columns = np.array(corners).reshape(4, 3, 2).transpose(2, 0, 1)
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()
    assert (np.diff(rows[:, 0]) > shown_size).all()
    assert (np.diff(columns[0]) > shown_size).all()


def test_a_sheet_shows_as_many_images_and_domains_as_asked() -> None:
    data = flat_dataset()
    sheet = contact_sheet(data, n_domains=2, n_per_domain=2)
    shown = [len(positions(sheet, image[0, 0])) > 0 for image in data.images]
    np.testing.assert_array_equal(np.sort(np.reshape(shown, (4, 3)).sum(axis=1)), [0, 0, 2, 2])


def test_the_seed_chooses() -> None:
    data = flat_dataset()
    sheets = [np.asarray(contact_sheet(data, 2, 2, seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert sheets[0].shape != sheets[2].shape or (sheets[0] != sheets[2]).any()


@pytest.mark.parametrize("label", ["red", "a class name of very many words " * 4, "oneverylongword" * 8])
def test_no_text_is_cut_or_covers_an_image(label: str) -> None:
    data = flat_dataset(name=label, label=label)
    sheet = contact_sheet(data, n_domains=4, n_per_domain=3)
    frame = np.asarray(sheet).copy()
    frame[MARGIN:-MARGIN, MARGIN:-MARGIN] = BACKGROUND
    assert (frame == BACKGROUND).all()
    for image in data.images:
        assert len(positions(sheet, image[0, 0])) == 128**2


def ink(data: FactorDataset) -> int:
    """Number of black pixels: text."""
    return len(positions(contact_sheet(data, 4, 3), np.array([0, 0, 0])))


def test_labels_are_written() -> None:
    short, long = flat_dataset(label="i"), flat_dataset(label="WWWW")
    assert ink(long) > ink(short) > 0


def test_accented_letters_are_written_without_accents() -> None:
    assert ink(flat_dataset(name="Königsberg")) == ink(flat_dataset(name="Konigsberg"))
