"""Datasets of torchvision, in files of exactly the published layout, and objects like them."""

import bz2
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dcodr.data.sources.labelled import Options
from dcodr.data.sources.torchvision_items import PICKLED, SAFE, read_items, read_torchvision
from dcodr.errors import UserError

SMALL = Options(image_size=32)


def idx(values: Any) -> bytes:
    """Encode values as in a file of MNIST: type, dimensions, shape, bytes."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + bytes(values)


def mnist(root: Path, n_train: int = 40, n_test: int = 8) -> None:
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, n in (("train", n_train), ("t10k", n_test)):
        images = np.repeat(np.arange(n, dtype=np.uint8), 28 * 28).reshape(n, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx((np.arange(n) % 4).astype(np.uint8)))


def usps(root: Path) -> None:
    for file, n in (("usps.bz2", 20), ("usps.t.bz2", 8)):
        pixels = " ".join(f"{i + 1}:0.0" for i in range(256))
        (root / file).write_bytes(
            bz2.compress("\n".join(f"{row % 4 + 1} {pixels}" for row in range(n)).encode())
        )


def test_published_test_images_stay_test_images(tmp_path: Path) -> None:
    mnist(tmp_path)
    said: list[str] = []
    raw = read_torchvision(["MNIST"], tmp_path, "mnist", options=SMALL, warn=said.append)
    assert (raw.spec.domain, raw.spec.attributes) == ("label", ())
    assert raw.spec.domains == ("0 - zero", "1 - one", "2 - two", "3 - three")
    assert raw.split is not None
    assert (raw.split[40:] == 2).all()
    assert np.bincount(raw.split[:40]).tolist() == [36, 4]
    assert raw.domain.tolist() == [i % 4 for i in range(40)] + [i % 4 for i in range(8)]
    np.testing.assert_array_equal(np.concatenate(list(raw.images))[:, 9, 9, 1], [*range(40), *range(8)])
    assert "no image is labelled validation" in said[0]


def test_the_domain_may_be_the_dataset_and_the_label_an_attribute(tmp_path: Path) -> None:
    mnist(tmp_path)
    usps(tmp_path)
    said: list[str] = []
    raw = read_torchvision(["MNIST", "USPS"], tmp_path, "digits", "dataset", SMALL, warn=said.append)
    assert (raw.spec.domain, raw.spec.domains) == ("dataset", ("MNIST", "USPS"))
    (label,) = raw.spec.attributes
    assert (label.name, label.classes) == ("label", ("0", "1", "2", "3"))
    assert raw.domain.tolist() == [0] * 48 + [1] * 28
    assert raw.attributes["label"][48:52].tolist() == [0, 1, 2, 3]
    assert "name their classes differently, so the number of a class is its name" in said[0]
    raw = read_torchvision(["MNIST", "USPS"], tmp_path, "digits", "label", SMALL, warn=str)
    assert [one.name for one in raw.spec.attributes] == ["dataset"]
    with pytest.raises(UserError, match="only 1 dataset; at least 2"):
        read_torchvision(["USPS"], tmp_path, "digits", "dataset", SMALL, warn=str)


def test_svhn_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, n in (("train", 20), ("test", 8)):
        images = np.zeros((32, 32, 3, n), np.uint8) + np.arange(n, dtype=np.uint8)
        savemat(tmp_path / f"{part}_32x32.mat", {"X": images, "y": (np.arange(n) % 4 + 7)[:, None]})
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)
    raw = read_torchvision(["SVHN"], tmp_path, "svhn", options=SMALL, warn=str)
    assert raw.spec.domains == ("0", "7", "8", "9")  # 10 stands for the digit 0
    np.testing.assert_array_equal(np.concatenate(list(raw.images))[:20, 0, 0, 2], range(20))


@pytest.mark.parametrize("name", PICKLED)
def test_pickles_are_refused_unread(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{name} consists of pickles, which can execute code"):
        read_torchvision([name], tmp_path, "n", warn=str)


def test_folders_of_images_are_read_otherwise(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Food101 is not read as such.*prepare folder --root"):
        read_torchvision(["Food101"], tmp_path, "n", warn=str)


@pytest.mark.parametrize("name", SAFE)
def test_what_is_not_there_is_never_downloaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("downloads"))
    with pytest.raises(UserError, match=rf"no complete {name} .*to download it: python -c .*{name}\("):
        read_torchvision([name], tmp_path, "n", warn=str)


def test_items_that_are_no_images_are_refused() -> None:
    tensors = [(np.zeros((3, 8, 8)), 0)]
    with pytest.raises(
        UserError, match=r"mine, train, image 0: an item is ndarray, int; .* without transforms"
    ):
        read_items({"mine": {"train": tensors}}, "mine", warn=str)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (-1, "label -1 is not the number of a class; leave unlabelled images out"),
        (None, "an item is Image, NoneType; expected"),
        ("cat", "an item is Image, str; expected"),
    ],
)
def test_labels_that_are_no_classes_are_refused(label: object, told: str) -> None:
    image = Image.new("L", (30, 20))
    with pytest.raises(UserError, match=f"mine, train, image 1: {told}"):
        read_items({"mine": {"train": [(image, 0), (image, label)]}}, "mine", warn=str)


def test_a_label_beyond_the_classes_is_refused() -> None:
    class Named(list[tuple[Image.Image, int]]):
        classes = ("cat", "dog")

    items = Named([(Image.new("L", (30, 20)), label) for label in (0, 1, 2)])
    with pytest.raises(UserError, match="mine, train, image 2: label 2 is not the number of a class"):
        read_items({"mine": {"train": items}}, "mine", warn=str)


def test_any_object_of_images_and_labels_is_read() -> None:
    items = [(Image.new("L", (30, 20), 9 * i), i % 2) for i in range(20)]
    raw = read_items({"mine": {"train": items}}, "mine", options=SMALL, warn=str)
    np.testing.assert_array_equal(np.concatenate(list(raw.images))[:, 5, 5, 0], [9 * i for i in range(20)])
    assert raw.spec.domains == ("0", "1")
