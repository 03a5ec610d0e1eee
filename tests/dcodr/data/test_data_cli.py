"""Tests of ``dcodr.data.cli`` and ``dcodr.data.prepare``."""

import json
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner, Result

from dcodr.config import PRESETS
from dcodr.data.cli import app
from dcodr.data.dataset import Attribute, DatasetSpec
from dcodr.data.store import open_store, write_store
from dcodr.errors import UserError

PUBLISHED = ("cars3d", "smallnorb", "shapes3d", "celeba", "edges2shoes")


def run(*arguments: object) -> Result:
    """Run a command that should succeed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photos(here: Path) -> Path:
    """A CSV of twelve images of two domains."""
    (here / "photos").mkdir()
    rows = ["path,domain,colour,age"]
    for index in range(12):
        Image.new("RGB", (40, 30), (index, 0, 0)).save(here / "photos" / f"{index}.png")
        rows.append(f"{index}.png,{'ab'[index % 2]},{'red' if index < 6 else 'blue'},{20 + index}")
    path = here / "photos" / "labels.csv"
    path.write_text("\n".join(rows))
    return path


def test_synthetic_is_prepared_in_the_default_place(here: Path) -> None:
    result = run("prepare", "synthetic", "--images", 80, "--seed", 3)
    data = open_store(here / "data" / "synthetic.h5")
    assert data.images.shape == (80, 64, 64, 3)
    assert data.provenance["seed"] == 3
    for fact in ("80 of 64 x 64", "4 (shape)", "64 train, 8 validation, 8 test", "object_hue: 10 classes"):
        assert fact in result.output


def test_the_same_seed_prepares_the_same_data(here: Path) -> None:
    fingerprints = []
    for seed in (0, 0, 1):
        run("prepare", "synthetic", "--images", 60, "--seed", seed, "--out", "s.h5", "--force")
        fingerprints.append(open_store(here / "s.h5").fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_cars3d_is_prepared(here: Path) -> None:
    for number in (1, 9):
        image = np.full((128, 128, 3, 24, 4), number, np.uint8)
        savemat(here / f"car_{number:03d}_mesh.mat", {"im": image})
    run("prepare", "cars3d", "--raw", here, "--out", "cars.h5")
    data = open_store(here / "cars.h5")
    assert data.spec.domains == ("1", "9")
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], np.where(data.domain == 0, 1, 9))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_folder_without_the_published_files_is_refused(here: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"give the folder of|unpack"):
        run("prepare", name, "--raw", here)
    assert not any(here.iterdir())


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_dataset_has_a_preset(name: str) -> None:
    assert PRESETS[name].store == Path("data") / f"{name}.h5"


def test_shapes3d_is_prepared_with_as_many_images_as_asked_for(here: Path) -> None:
    with h5py.File(here / "3dshapes.h5", "w") as file:
        file["images"] = np.zeros((200, 64, 64, 3), np.uint8)
        file["labels"] = np.zeros((200, 6)) + np.array([0, 0, 0, 0.75, 0, -30])
        file["labels"][:, 4] = np.arange(200) % 4
    result = run("prepare", "shapes3d", "--raw", here, "--images", 100)
    assert "100 of 64 x 64" in result.output
    assert open_store(here / "data" / "shapes3d.h5").n_domains == 4


def test_a_folder_is_prepared_under_its_own_name(here: Path, photos: Path) -> None:
    result = run("prepare", "folder", "--csv", photos, "--image-size", 16, "--continuous", "age")
    data = open_store(here / "data" / "photos.h5")
    assert data.spec.name == "photos"
    assert data.images.shape == (12, 16, 16, 3)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], np.arange(12))
    np.testing.assert_array_equal(data.attributes["age"][:, 0], np.arange(20, 32))
    assert "age: continuous" in result.output


def test_the_choices_for_a_folder_are_kept_and_shown(here: Path, photos: Path) -> None:
    rows = [f"{i}.png,{'ab'[i % 2]},{i // 2 % 4 * 90}" for i in range(12)]
    photos.write_text("\n".join(["path,domain,angle", *rows]))
    words = ["--fit", "stretch", "--cyclic", "angle", "--margin", "angle=1", "--subsample", 10, "--seed", 3]
    result = run("prepare", "folder", "--csv", photos, *words)
    data = open_store(here / "data" / "photos.h5")
    assert data.spec.attributes == (Attribute("angle", 4, True, 1, ("0", "90", "180", "270")),)
    assert (data.fit, len(data.images), data.provenance["seed"]) == ("stretch", 10, 3)
    assert "angle: 4 classes, cyclic, margin 1" in result.output
    assert "10 of 12 images, drawn with seed 3" in result.output


def test_a_folder_of_domains_needs_no_csv(here: Path, photos: Path) -> None:
    for index in range(12):
        path = here / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        (here / "photos" / f"{index}.png").rename(path)
    result = run("prepare", "folder", "--root", "photos")
    assert open_store(here / "data" / "photos.h5").spec.domains == ("a", "b")
    assert "1 file of other kinds left out, e.g. labels.csv" in result.stderr
    with pytest.raises(
        UserError, match="give the labels with --csv FILE, or a folder of domains with --root"
    ):
        run("prepare", "folder")


@pytest.mark.parametrize("text", ["angle", "angle=", "=3", "angle=x", "angle=-1"])
def test_a_margin_without_a_number_is_refused(here: Path, photos: Path, text: str) -> None:
    with pytest.raises(UserError, match=f"--margin {text}: give an attribute and a number of classes"):
        run("prepare", "folder", "--csv", photos, "--margin", text)


def test_an_existing_file_is_replaced_only_by_force(here: Path, photos: Path) -> None:
    run("prepare", "folder", "--csv", photos, "--name", "mine")
    before = (here / "data" / "mine.h5").read_bytes()
    with pytest.raises(UserError, match=r"mine\.h5 exists.*--force"):
        run("prepare", "folder", "--csv", photos, "--name", "mine", "--image-size", 32)
    assert (here / "data" / "mine.h5").read_bytes() == before
    run("prepare", "folder", "--csv", photos, "--name", "mine", "--image-size", 32, "--force")
    assert open_store(here / "data" / "mine.h5").image_size == 32


def test_a_folder_in_the_place_of_the_file_is_refused(here: Path, photos: Path) -> None:
    with pytest.raises(UserError, match="photos is a folder"):
        run("prepare", "folder", "--csv", photos, "--out", "photos", "--force")


def test_bad_labels_leave_nothing(here: Path, photos: Path) -> None:
    photos.write_text(photos.read_text() + "\nmissing.png,a,red,3")
    with pytest.raises(UserError, match=r"labels\.csv, line 14, column path: no file"):
        run("prepare", "folder", "--csv", photos)
    assert list(here.iterdir()) == [here / "photos"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["prepare", "cars3d"],
        ["prepare", "cars3d", "--raw", ".", "--csv", "labels.csv"],
        ["prepare", "synthetic", "--image-size", "64"],
        ["prepare", "synthetic", "--images", "0"],
        ["prepare", "folder", "--csv", "labels.csv", "--images", "10"],
        ["prepare", "cifar"],
    ],
)
def test_options_of_another_dataset_are_refused(here: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert not any(here.iterdir())


def test_info_tells_the_same_in_words_and_in_json(here: Path) -> None:
    run("prepare", "synthetic", "--images", 80)
    facts = json.loads(run("info", "data/synthetic.h5", "--json", "--verify").output)
    data = open_store(here / "data" / "synthetic.h5")
    assert facts["fingerprint"] == data.fingerprint
    assert facts["splits"] == {"train": 64, "validation": 8, "test": 8}
    assert (facts["n_images"], facts["image_size"], facts["n_domains"]) == (80, 64, 4)
    assert facts["bytes"] == (here / "data" / "synthetic.h5").stat().st_size
    assert [attribute["name"] for attribute in facts["spec"]["attributes"]] == list(data.attributes)
    words = run("info", "data/synthetic.h5").output
    assert "80 of 64 x 64" in words
    assert data.fingerprint[:16] in words


def test_a_class_that_misses_a_split_is_named(here: Path) -> None:
    """Thirteen of 3,000 images are of the class: the splits, made by domain, can leave one without."""
    images = np.random.default_rng(0).integers(0, 256, (3000, 8, 8, 3), dtype=np.uint8)
    domain, beard, tenth = np.arange(3000) % 5, np.arange(3000) // 50 % 2, np.arange(3000) // 5 % 10
    split: npt.NDArray[np.uint8] = np.select([tenth == 8, tenth == 9], [1, 2], 0).astype(np.uint8)
    bald = np.zeros(3000, np.int64)
    bald[np.flatnonzero(split == 0)[:13]] = 1
    spec = DatasetSpec(
        "faces",
        "person",
        (Attribute("beard", 2), Attribute("bald", 2, classes=("no", "yes"))),
    )
    write_store(here / "f.h5", spec, images, domain, {"beard": beard, "bald": bald}, split, {})
    expected = (
        "bald: class yes has 13 train, 0 validation and 0 test images; a constant answer is right for every "
        "validation and test image, so it cannot be measured there and no mean includes it"
    )
    result = run("info", "f.h5")
    assert f"warning: {expected}" in result.stderr
    assert "beard:" not in result.stderr
    assert json.loads(run("info", "f.h5", "--json").stdout)["warnings"] == [expected]


def test_prepare_warns_of_classes_that_miss_a_split(here: Path, photos: Path) -> None:
    rows = photos.read_text().replace("red", "blue", 5)
    photos.write_text(rows)
    result = run("prepare", "folder", "--csv", photos)
    assert "warning: colour: class red has " in result.stderr


def test_info_verifies_only_when_asked(here: Path) -> None:
    run("prepare", "synthetic", "--images", 80)
    store = here / "data" / "synthetic.h5"
    raw = bytearray(store.read_bytes())
    offset = open_store(store).images.offset  # type: ignore[attr-defined]
    raw[offset + 5] ^= 1
    store.write_bytes(raw)
    run("info", store)
    with pytest.raises(UserError, match="fingerprint"):
        run("info", store, "--verify")


def test_preview_writes_a_png_beside_the_store(here: Path) -> None:
    run("prepare", "synthetic", "--images", 80)
    assert run("preview", "data/synthetic.h5").output.strip() == "data/synthetic.png"
    run("preview", "data/synthetic.h5", "--out", "sheet")
    for path in ("data/synthetic.png", "sheet"):
        with Image.open(here / path) as image:
            assert image.format == "PNG"
            assert image.width > 8 * 128


def test_preview_in_an_impossible_place_is_refused(here: Path) -> None:
    run("prepare", "synthetic", "--images", 80)
    (here / "file").touch()
    with pytest.raises(UserError, match="cannot write file/sheet"):
        run("preview", "data/synthetic.h5", "--out", "file/sheet.png")


def test_preview_never_replaces_the_dataset(here: Path) -> None:
    run("prepare", "synthetic", "--images", 80, "--out", "scenes.png")
    with pytest.raises(UserError, match=r"scenes\.png is the dataset itself"):
        run("preview", "scenes.png")
    assert len(open_store(here / "scenes.png").images) == 80


@pytest.mark.parametrize("command", ["info", "preview"])
def test_a_missing_store_is_refused(here: Path, command: str) -> None:
    with pytest.raises(UserError, match=r"none\.h5 is not there"):
        run(command, here / "none.h5")


@pytest.mark.parametrize(
    "command",
    [
        *(["prepare", name] for name in ("synthetic", *PUBLISHED, "folder", "huggingface", "torchvision")),
        ["download"],
        ["info"],
        ["preview"],
    ],
)
def test_help_shows_an_example(command: list[str]) -> None:
    assert f"python -m dcodr data {' '.join(command)}" in run(*command, "--help").output
