"""Codes of new images: the same as in a training, with names and labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dcodr import load
from dcodr.data.dataset import FitMode
from dcodr.data.prepare import prepare
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.labelled import Options
from dcodr.data.store import open_store
from dcodr.embeddings.embedding import embed_images
from dcodr.embeddings.sources import open_images, reopen
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from tests.dcodr.embeddings.photographs import FILES, encoder_file, photographs


def embedded(folder: Path, images: Path, **options: int) -> Embeddings:
    file = encoder_file(folder / "encoder.safetensors")
    return embed_images(load(file), open_images(images, warn=pytest.fail), str(file), **options)  # type: ignore[arg-type]


def test_photographs_have_the_codes_of_the_store_that_a_training_reads(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    store = tmp_path / "photos.h5"
    prepare(store, read_folder(labels, "photos", options=Options(image_size=32)), seed=0)
    from_store, from_csv, from_folder = (
        embedded(tmp_path, path) for path in (store, labels, tmp_path / "photos")
    )
    assert np.array_equal(from_store.codes, from_csv.codes)
    order = [from_csv.names.index(name) for name in from_folder.names]
    assert np.allclose(from_folder.codes, from_csv.codes[order], atol=1e-6)
    # The encoder itself, on the images of the store, is the reference.
    data = open_store(store)
    images = torch.from_numpy(np.array(data.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        codes = load(tmp_path / "encoder.safetensors")(images).numpy()
    assert np.allclose(from_store.codes, codes, atol=1e-6)
    assert np.allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_photographs_are_fitted_as_those_of_the_training(tmp_path: Path, fit: FitMode) -> None:
    labels = photographs(tmp_path / "photos")
    options = Options(image_size=32, fit=fit)
    prepare(tmp_path / "photos.h5", read_folder(labels, "photos", options=options), seed=0)
    assert open_store(tmp_path / "photos.h5").fit == fit
    file = encoder_file(tmp_path / "fitted.safetensors", fit=fit)
    from_store, from_csv = (
        embed_images(load(file), open_images(tmp_path / path, warn=pytest.fail), str(file))
        for path in ("photos.h5", "photos/labels.csv")
    )
    assert np.array_equal(from_store.codes, from_csv.codes)
    assert from_csv.fit == fit
    assert not np.allclose(from_csv.codes, embedded(tmp_path, labels).codes, atol=1e-3)
    with pytest.raises(UserError, match=rf"prepared with --fit {fit}, but the encoder was trained with crop"):
        embedded(tmp_path, tmp_path / "photos.h5")


def test_names_and_labels_come_with_the_codes(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    store = tmp_path / "photos.h5"
    prepare(store, read_folder(labels, "photos", options=Options(image_size=32)), seed=0)
    from_csv, from_store = embedded(tmp_path, labels), embedded(tmp_path, store)
    assert dict(from_csv.columns) == {"path": FILES, "domain": list("ab" * 6), "angle": list("001122334455")}
    assert from_csv.names == FILES
    assert list(from_store.columns) == ["row", "domain", "angle", "split"]
    assert from_store.columns["domain"] == list("ab" * 6)
    assert from_store.columns["angle"] == list("001122334455")
    assert embedded(tmp_path, tmp_path / "photos").names == sorted(FILES)
    assert embedded(tmp_path, tmp_path / "photos" / FILES[0]).names == ["red_0.png"]


def test_the_images_are_resized_to_the_size_of_the_training_unless_another_is_asked_for(
    tmp_path: Path,
) -> None:
    labels = photographs(tmp_path / "photos")
    assert embedded(tmp_path, labels).image_size == 32
    other = embedded(tmp_path, labels, image_size=16)
    assert other.image_size == 16
    assert not np.allclose(other.codes, embedded(tmp_path, labels).codes, atol=1e-3)
    unknown = load(encoder_file(tmp_path / "old.safetensors", image_size=None))
    with pytest.raises(UserError, match=r"give it with --image-size"):
        embed_images(unknown, open_images(labels, warn=pytest.fail), "old")


def test_a_training_records_the_size_of_its_images(tmp_path: Path) -> None:
    file = encoder_file(tmp_path / "encoder.safetensors", image_size=48)
    assert load(file).image_size == 48


def test_progress_goes_up_to_all_images(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    told: list[tuple[int, int]] = []
    file = encoder_file(tmp_path / "encoder.safetensors")
    source = open_images(labels, warn=pytest.fail)
    embed_images(load(file), source, "e", on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("nothing", "no such file or folder"),
        ("empty", "no image files; looked for names that end in .png, "),
        ("damaged", r"a\.png is not an image that can be read"),
        ("small.h5", "has images of 16 pixels, but 32 are needed"),
    ],
)
def test_what_cannot_be_embedded_is_named(made: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "a.png").write_bytes(b"no image")
    labels = photographs(tmp_path / "photos")
    prepare(tmp_path / "small.h5", read_folder(labels, "small", options=Options(image_size=16)), seed=0)
    with pytest.raises(UserError, match=message):
        embedded(tmp_path, tmp_path / made)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_a_changed_table_opens_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leaves"):
        reopen(tmp_path, "path", [name], warn=pytest.fail)


def test_codes_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    encoder = load(encoder_file(tmp_path / "encoder.safetensors"))
    next(encoder.parameters()).data.fill_(torch.nan)
    with pytest.raises(UserError, match="codes that are not finite"):
        embed_images(encoder, open_images(labels, warn=pytest.fail), "e")
