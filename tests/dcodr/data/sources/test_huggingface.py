"""Folders of ``Dataset.save_to_disk``, written by the library itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dcodr.data.prepare import prepare
from dcodr.data.sources.huggingface import read_huggingface
from dcodr.data.sources.labelled import Options
from dcodr.data.store import open_store
from dcodr.errors import UserError

datasets = pytest.importorskip("datasets")
SMALL = Options(image_size=16)


def columns(n: int = 12, first: int = 0) -> dict[str, list[Any]]:
    rows = range(first, first + n)
    return {
        "picture": [Image.new("RGB", (24, 20), (row, 0, 0)) for row in rows],
        "species": [row % 3 for row in rows],
        "camera": [f"c{row % 2}" for row in rows],
        "angle": [90 * (row % 4) for row in rows],
        "light": [row / 7 for row in rows],
        "boxes": [[row, 1] for row in rows],
    }


def dataset(values: dict[str, list[Any]]) -> Any:
    kinds = {
        "picture": datasets.Image(),
        "species": datasets.ClassLabel(names=["wren", "owl", "kite"]),
        "camera": datasets.Value("string"),
        "angle": datasets.Value("int32"),
        "light": datasets.Value("float32"),
        "boxes": datasets.List(datasets.Value("int32")),
    }
    return datasets.Dataset.from_dict(values, datasets.Features({name: kinds[name] for name in values}))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "birds"
    # Shuffled and shortened: the rows of the files are not the rows of the dataset.
    dataset(columns(16)).select(range(12)).select(range(11, -1, -1)).save_to_disk(path)
    return path


def test_columns_are_domain_attributes_and_images(saved: Path, tmp_path: Path) -> None:
    raw = read_huggingface(
        saved, "birds", "camera", ["species", "angle", "light"], options=SMALL, warn=pytest.fail
    )
    assert (raw.spec.domain, raw.spec.domains) == ("camera", ("c0", "c1"))
    species, angle, light = raw.spec.attributes
    assert species.classes == ("kite", "owl", "wren")
    assert (angle.classes, light.cardinality) == (("0", "90", "180", "270"), None)
    prepare(tmp_path / "birds.h5", raw)
    data = open_store(tmp_path / "birds.h5")
    rows = np.arange(11, -1, -1)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], rows)
    np.testing.assert_array_equal(data.domain, rows % 2)
    np.testing.assert_array_equal(data.attributes["species"], np.array([2, 1, 0])[rows % 3])
    np.testing.assert_array_equal(data.attributes["angle"], rows % 4)
    np.testing.assert_allclose(data.attributes["light"][:, 0], rows / 7, rtol=1e-6)
    assert data.provenance["source"] == "Hugging Face dataset birds, centre squares resized to 16 x 16"


def test_a_label_may_be_the_domain_and_some_images_be_drawn(saved: Path) -> None:
    options = Options(image_size=16, subsample=6, continuous=["angle"])
    raw = read_huggingface(saved, "birds", "species", ["angle"], "picture", options, warn=pytest.fail)
    assert raw.spec.domains == ("kite", "owl", "wren")
    images = np.concatenate(list(raw.images))
    assert len(images) == 6
    classes = np.array([2, 1, 0])
    np.testing.assert_array_equal(raw.domain, classes[images[:, 0, 0, 0] % 3])


def test_a_column_may_have_any_name(tmp_path: Path) -> None:
    """A column of wells' rows must not be taken for the positions of the images."""
    values = columns(16)
    values["row"] = [row % 3 for row in range(16)]
    kinds = {name: dataset(columns(2)).features[name] for name in columns(2)}
    features = datasets.Features({**kinds, "row": datasets.Value("int32")})
    datasets.Dataset.from_dict(values, features).save_to_disk(tmp_path / "wells")
    raw = read_huggingface(tmp_path / "wells", "wells", "camera", ["row"], options=SMALL, warn=pytest.fail)
    images = np.concatenate(list(raw.images))
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(16))
    np.testing.assert_array_equal(raw.attributes["row"], np.arange(16) % 3)


def test_splits_are_kept(tmp_path: Path) -> None:
    parts = {
        "train": dataset(columns(8)),
        "validation": dataset(columns(4, 8)),
        "test": dataset(columns(4, 12)),
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "birds")
    raw = read_huggingface(tmp_path / "birds", "birds", "camera", options=SMALL, warn=pytest.fail)
    assert raw.split is not None
    assert raw.split.tolist() == [0] * 8 + [1] * 4 + [2] * 4
    np.testing.assert_array_equal(np.concatenate(list(raw.images))[:, 0, 0, 0], range(16))
    datasets.DatasetDict({"train": parts["train"], "unlabelled": parts["test"]}).save_to_disk(
        tmp_path / "odd"
    )
    with pytest.raises(UserError, match=r"odd: unlabelled is not a split; .* folder of one of them"):
        read_huggingface(tmp_path / "odd", "birds", "camera", options=SMALL, warn=pytest.fail)


@pytest.mark.parametrize(
    ("domain", "attributes", "image", "message"),
    [
        (
            "photographer",
            [],
            None,
            "photographer is not a column of labels; it has species, camera, angle, light",
        ),
        ("camera", ["boxes"], None, "boxes is not a column of labels"),
        ("camera", [], "angle", "angle is not a column of images; it has picture: give one with image=..."),
    ],
)
def test_wrong_columns_are_refused(
    saved: Path, domain: str, attributes: list[str], image: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_huggingface(saved, "birds", domain, attributes, image, warn=pytest.fail)


def test_missing_labels_and_images_are_refused_by_row(tmp_path: Path) -> None:
    values = columns(6)
    values["camera"][3] = None
    dataset(values).save_to_disk(tmp_path / "birds")
    with pytest.raises(UserError, match=r"birds, row 3, column camera: null is not a label"):
        read_huggingface(tmp_path / "birds", "birds", "camera", warn=pytest.fail)


def test_an_image_outside_the_files_is_never_opened(tmp_path: Path) -> None:
    """A changed row may hold only a path, to any file of this machine, or an address."""
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    dataset(columns(6)).save_to_disk(tmp_path / "odd")
    (file,) = (tmp_path / "odd").glob("*.arrow")
    with pa.ipc.open_stream(file.read_bytes()) as stream:
        table = stream.read_all()
    kind = table.schema.field("picture").type
    path = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 6
    table = table.set_column(0, table.schema.field("picture"), pa.array(path, kind))
    with file.open("wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    raw = read_huggingface(tmp_path / "odd", "odd", "camera", options=SMALL, warn=pytest.fail)
    with pytest.raises(
        UserError, match=r"row 0, column picture: holds no image, only the path .*secret\.png"
    ):
        list(raw.images)


def test_a_file_outside_the_folder_is_never_opened(tmp_path: Path) -> None:
    dataset(columns(6)).save_to_disk(tmp_path / "secret")
    dataset(columns(6)).save_to_disk(tmp_path / "odd")
    state = tmp_path / "odd" / "state.json"
    content = json.loads(state.read_text())
    content["_data_files"] = [{"filename": "../secret/data-00000-of-00001.arrow"}]
    state.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"state\.json names \.\./secret/data.*, which lies outside"):
        read_huggingface(tmp_path / "odd", "odd", "camera", warn=pytest.fail)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such folder"):
        read_huggingface(tmp_path / "none", "n", "camera", warn=pytest.fail)
    with pytest.raises(UserError, match="damaged, or not written by save_to_disk"):
        read_huggingface(tmp_path, "n", "camera", warn=pytest.fail)
