"""Cars3D: small files in the published layout, and a real one if it is at hand."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from dcodr.data.dataset import Images, stratified_split
from dcodr.data.sources.cars3d import CARS3D, halve, read_cars3d
from dcodr.data.sources.images import Progress
from dcodr.data.store import open_store, write_store
from dcodr.errors import UserError

real = pytest.mark.skipif(
    "DCODR_DATA" not in os.environ, reason="DCODR_DATA names no folder with the original files in cars3d/"
)


def read(folder: Path, on_progress: Progress | None = None) -> tuple[Images, Any, Mapping[str, Any]]:
    raw = read_cars3d(folder, on_progress)
    return np.concatenate(list(raw.images)), raw.domain, raw.attributes


def write_car(folder: Path, number: int, image: Any) -> Path:
    path = folder / f"car_{number:03d}_mesh.mat"
    savemat(path, {"im": image, "YAW_LIST": np.arange(24) * 15.0, "mask": np.zeros((2, 2), bool)})
    return path


def flat_car(number: int) -> np.ndarray:
    """Return a car whose images are of one colour each, which says what they show."""
    image = np.empty((128, 128, 3, 24, 4), np.uint8)
    image[:, :, 0] = number
    image[:, :, 1] = np.arange(24)[:, None]
    image[:, :, 2] = np.arange(4)
    return image


def test_labels_belong_to_their_images(tmp_path: Path) -> None:
    for number in (7, 2, 131):
        write_car(tmp_path, number, flat_car(number))
    (tmp_path / "README").write_text("not a car")
    images, domain, attributes = read(tmp_path)
    assert images.shape == (3 * 96, 64, 64, 3)
    assert images.dtype == np.uint8
    shown = images[:, 10, 20].astype(int)
    assert (images == images[:, :1, :1]).all()
    np.testing.assert_array_equal(domain, shown[:, 0])
    np.testing.assert_array_equal(attributes["azimuth"], shown[:, 1])
    np.testing.assert_array_equal(attributes["elevation"], shown[:, 2])
    np.testing.assert_array_equal(attributes["pose"], 24 * shown[:, 2] + shown[:, 1])
    assert set(domain) == {2, 7, 131}
    for attribute in CARS3D.attributes:
        assert len(np.unique(attributes[attribute.name])) == attribute.cardinality


def test_a_store_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """Its pose would count towards informativeness a second time, as metrics measured before did."""
    write_car(tmp_path, 1, flat_car(1))
    write_car(tmp_path, 2, flat_car(2))
    images, domain, attributes = read(tmp_path)
    earlier = tuple(replace(attribute, derived=False) for attribute in CARS3D.attributes)
    fingerprints = set()
    for spec in (CARS3D, replace(CARS3D, name="mine", attributes=earlier)):
        path = tmp_path / f"{spec.name}.h5"
        write_store(path, spec, images, domain, attributes, stratified_split(domain, 0), {})
        assert [one.derived for one in open_store(path).spec.attributes] == [False, False, spec is CARS3D]
        fingerprints.add(open_store(path).fingerprint)
    assert len(fingerprints) == 2
    spec = replace(CARS3D, attributes=earlier)
    write_store(tmp_path / "old.h5", spec, images, domain, attributes, stratified_split(domain, 0), {})
    with pytest.raises(UserError, match=r"earlier version.*the pose twice.*prepare the dataset again"):
        open_store(tmp_path / "old.h5")


def test_an_image_keeps_its_orientation_and_is_averaged_like_pillow(tmp_path: Path) -> None:
    raw = np.zeros((128, 128, 3, 24, 4), np.uint8)
    raw[..., 5, 2] = np.random.default_rng(0).integers(0, 256, (128, 128, 3))
    write_car(tmp_path, 1, raw)
    images, _, attributes = read(tmp_path)
    index = int(np.flatnonzero((attributes["azimuth"] == 5) & (attributes["elevation"] == 2))[0])
    expected = np.asarray(Image.fromarray(raw[..., 5, 2]).resize((64, 64), Image.Resampling.BOX))
    assert np.abs(images[index].astype(int) - expected).max() <= 1


def test_halving_is_the_exact_mean_rounded() -> None:
    blocks = np.array(
        [[[0, 0], [0, 1]], [[0, 0], [1, 1]], [[255, 255], [255, 254]], [[9, 8], [7, 9]]], np.uint8
    )
    np.testing.assert_array_equal(halve(blocks)[:, 0, 0], [0, 1, 255, 8])
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 8), dtype=np.uint8)
    means = images.reshape(5, 3, 2, 4, 2).mean(axis=(2, 4))
    np.testing.assert_array_equal(halve(images), np.floor(means + 0.5))


def test_progress_counts_images(tmp_path: Path) -> None:
    for number in (1, 2):
        write_car(tmp_path, number, flat_car(number))
    calls: list[tuple[int, int]] = []
    read(tmp_path, lambda done, total: calls.append((done, total)))
    assert calls == [(96, 192), (192, 192)]


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((128, 128, 3, 24, 4)), "float64"),
        (np.zeros((64, 64, 3, 24, 4), np.uint8), r"\(64, 64, 3, 24, 4\)"),
        (np.zeros((128, 128, 3, 24), np.uint8), r"\(128, 128, 3, 24\)"),
        (np.array([["a car"]], dtype=object), "object"),
    ],
)
def test_another_kind_of_image_is_refused(tmp_path: Path, image: np.ndarray, found: str) -> None:
    write_car(tmp_path, 1, image)
    with pytest.raises(UserError, match=rf"car_001_mesh\.mat: expected 'im'.*found.*{found}"):
        read(tmp_path)


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "car_004_mesh.mat", {"image": np.zeros(3)})
    with pytest.raises(UserError, match=r"car_004_mesh\.mat: expected 'im'.*found nothing"):
        read(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"hello" * 100]
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Any) -> None:
    path = write_car(tmp_path, 1, flat_car(1))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"car_001_mesh\.mat cannot be read as a MATLAB file"):
        read(tmp_path)


def test_a_file_without_a_number_is_refused(tmp_path: Path) -> None:
    write_car(tmp_path, 1, flat_car(1)).rename(tmp_path / "car_x_mesh.mat")
    with pytest.raises(UserError, match=r"car_x_mesh\.mat: 'x' is not the number of a car"):
        read(tmp_path)


@pytest.mark.parametrize("folder", [".", "missing"])
def test_a_folder_without_cars_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UserError, match="no car_"):
        read(tmp_path / folder)


@real
def test_a_real_car_is_read_as_published(tmp_path: Path) -> None:
    source = Path(os.environ["DCODR_DATA"], "cars3d", "car_100_mesh.mat")
    (tmp_path / source.name).symlink_to(source)
    images, domain, attributes = read(tmp_path)
    raw = loadmat(source)
    assert len(images) == 96
    assert (domain == 100).all()
    for index in (0, 30, 95):
        azimuth, elevation = attributes["azimuth"][index], attributes["elevation"][index]
        original = Image.fromarray(raw["im"][..., azimuth, elevation])
        expected = np.asarray(original.resize((64, 64), Image.Resampling.BOX))
        assert np.abs(images[index].astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(raw["YAW_LIST"].ravel(), np.arange(24) * 15)
    np.testing.assert_array_equal(raw["PITCH_LIST"].ravel(), np.arange(4) * 6)
