"""Codes of new images: the same as in a training, with names and labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

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


def embedded(folder: Path, images: str | Path, **options: Any) -> Embeddings:
    file = encoder_file(folder / "encoder.safetensors")
    return embed_images(load(file), open_images(images, warn=pytest.fail), str(file), **options)


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
    with pytest.raises(UserError, match=rf"prepared with fit='{fit}', but .* trained with crop"):
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
    from_folder = embedded(tmp_path, tmp_path / "photos")
    assert from_folder.names == sorted(FILES)
    assert from_folder.columns["folder"] == sorted("ab" * 6)
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
    with pytest.raises(UserError, match=r"give it, e\.g\. image_size=64"):
        embed_images(unknown, open_images(labels, warn=pytest.fail), "old")


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


def test_a_folder_of_splits_gives_splits_and_domains(tmp_path: Path) -> None:
    for name in ("train/duck/1.png", "train/boat/1.png", "test/duck/1.png", "test/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert dict(open_images(tmp_path).columns) == {
        "path": ["test/2.png", "test/duck/1.png", "train/boat/1.png", "train/duck/1.png"],
        "folder": [".", "duck", "boat", "duck"],
        "split": ["test", "test", "train", "train"],
    }
    assert list(open_images(tmp_path / "train" / "duck").columns) == ["path"]


def test_a_folder_has_the_images_that_prepare_lists(tmp_path: Path) -> None:
    photographs(tmp_path / "photos")
    for hidden in ("._red_0.png", ".thumbnails/red_0.png"):
        file = tmp_path / "photos" / "a" / hidden
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"no image")
    assert open_images(tmp_path / "photos").columns["path"] == sorted(FILES)
    Image.new("RGB", (8, 8)).save(tmp_path / "elsewhere.png")
    (tmp_path / "photos" / "a" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(UserError, match=r"a/link\.png is a link; links out of"):
        open_images(tmp_path / "photos")
    (tmp_path / "photos" / "a" / "link.png").unlink()
    (tmp_path / "photos" / "c").symlink_to(tmp_path / "photos" / "a")
    with pytest.raises(UserError, match="links to folders are not followed"):
        open_images(tmp_path / "photos")


def test_labels_that_files_of_codes_would_lose_are_refused_by_name(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    labels.write_text(labels.read_text().replace("angle", "code_12"))
    with pytest.raises(UserError, match=r"labels\.csv: rename code_12: files of codes have columns"):
        open_images(labels)


@pytest.mark.parametrize(("domain", "attribute"), [("domain", "row"), ("domain", "split"), ("row", "code")])
def test_labels_of_a_store_that_would_be_lost_are_refused_by_name(
    domain: str, attribute: str, tmp_path: Path
) -> None:
    labels = photographs(tmp_path / "photos")
    raw = read_folder(labels, "photos", options=Options(image_size=32))
    (angle,) = raw.spec.attributes
    spec = replace(raw.spec, domain=domain, attributes=(replace(angle, name=attribute),))
    renamed = raw._replace(spec=spec, attributes={attribute: raw.attributes["angle"]})
    prepare(tmp_path / "s.h5", renamed, seed=0)
    lost = attribute if domain == "domain" else f"{domain} and {attribute}"
    with pytest.raises(UserError, match=rf"s\.h5: rename {lost}: files of codes have columns"):
        open_images(tmp_path / "s.h5")


def damaged(folder: Path) -> Path:
    """Photographs, two of which cannot be read; the CSV file of their labels."""
    labels = photographs(folder)
    for name in (FILES[2], FILES[10]):
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    return labels


def test_all_unreadable_images_are_named_at_once(tmp_path: Path) -> None:
    labels = damaged(tmp_path / "photos")
    for images, places in (
        (labels, ("line 4, column path: ", "line 12, column path: ")),
        (labels.parent, "ab"),
    ):
        with pytest.raises(UserError) as refused:
            embedded(tmp_path, images)
        first, *named = str(refused.value).splitlines()
        assert first == "2 images of 12 cannot be read; skip_unreadable=True leaves them out:"
        for line, place, name in zip(named, places, (FILES[2], FILES[10]), strict=True):
            assert place in line
            assert f"{name} is not an image that can be read" in line


def test_messages_about_many_unreadable_images_name_the_first(tmp_path: Path) -> None:
    for i in range(50):
        (tmp_path / f"{i:02d}.png").write_bytes(b"")
    for skip in (False, True):
        with pytest.raises(UserError) as refused:
            embedded(tmp_path / "encoders", tmp_path, skip_unreadable=skip)
        first, *named, last = str(refused.value).splitlines()
        assert (first, len(named), last) == ("50 images of 50 cannot be read:", 20, "and 30 more")


def test_unreadable_images_are_left_out_if_asked_for(tmp_path: Path) -> None:
    whole = embedded(tmp_path, photographs(tmp_path / "photos"))
    source = open_images(damaged(tmp_path / "photos"), warn=pytest.fail)
    said: list[str] = []
    told: list[tuple[int, int]] = []
    found = embed_images(
        load(tmp_path / "encoder.safetensors"),
        source,
        "e",
        skip_unreadable=True,
        on_progress=lambda *done: told.append(done),
        warn=said.append,
    )
    kept = [i for i in range(12) if i not in (2, 10)]
    assert np.allclose(found.codes, whole.codes[kept], atol=1e-6)
    assert {name: list(cells) for name, cells in found.columns.items()} == {
        name: [cells[i] for i in kept] for name, cells in whole.columns.items()
    }
    assert told[-1] == (12, 12)
    (warning,) = said
    assert warning.startswith("2 images of 12 cannot be read, left out:\n")
    assert FILES[2] in warning


def test_paths_may_be_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photographs(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    table = embedded(tmp_path, "photos")
    assert embedded(tmp_path, "photos/labels.csv").images == table.images
    (tmp_path / "labels.csv").write_text((tmp_path / "photos" / "labels.csv").read_text())
    assert open_images("labels.csv", "photos").columns["path"] == FILES
    assert table.write("codes.csv") == [Path("codes.csv")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": -3}, r"image_size=-3: should be 16 to 1024 pixels"),
        ({"image_size": 5000}, r"image_size=5000: should be"),
        ({"device": "mps"}, r"device: received 'mps'; use 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_impossible_choices_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        embedded(tmp_path, photographs(tmp_path / "photos"), **options)


def test_a_root_without_a_csv_file_is_refused(tmp_path: Path) -> None:
    photographs(tmp_path / "photos")
    for images in (tmp_path / "photos", tmp_path / "photos" / FILES[0], tmp_path / "s.h5"):
        with pytest.raises(UserError, match=r"root='elsewhere' belongs to a CSV file, which"):
            open_images(images, "elsewhere")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_a_changed_table_opens_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    changed = Embeddings(np.eye(1, dtype=np.float32), {"path": [name]}, str(tmp_path), 32, "/trained")
    with pytest.raises(UserError, match="leaves"):
        reopen(changed, warn=pytest.fail)


def test_codes_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    labels = photographs(tmp_path / "photos")
    encoder = load(encoder_file(tmp_path / "encoder.safetensors"))
    next(encoder.parameters()).data.fill_(torch.nan)
    with pytest.raises(UserError, match="codes that are not finite"):
        embed_images(encoder, open_images(labels, warn=pytest.fail), "e")
