"""Splits, cyclic attributes and margins, and which images are left out, as the user asks for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcodr.data.dataset import SPLITS, Attribute, RawDataset
from dcodr.data.prepare import prepare
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.labelled import Options
from dcodr.data.store import open_store
from dcodr.errors import UserError

ANGLES = [0, 45, 90, 135, 180, 225, 270, 315]


def read(folder: Path, columns: dict[str, list[Any]], warn: Any = pytest.fail, **options: Any) -> RawDataset:
    """Read images with these columns, besides their path."""
    rows = list(zip(*columns.values(), strict=True))
    for index in range(len(rows)):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(folder / f"{index:02}.png")
    lines = [f"{index:02}.png,{','.join(map(str, row))}" for index, row in enumerate(rows)]
    (folder / "labels.csv").write_text("\n".join([f"path,{','.join(columns)}", *lines]))
    return read_folder(folder / "labels.csv", "n", options=Options(image_size=16, **options), warn=warn)


def test_a_split_column_is_kept_to_the_letter(tmp_path: Path) -> None:
    split = ["train", "Test", "val", "training", "TRAIN", "valid", "validation", "testing", "train", "train"]
    raw = read(tmp_path, {"domain": list("aababbaabb"), "split": split})
    expected = [0, 2, 1, 0, 0, 1, 1, 2, 0, 0]
    assert raw.split is not None
    assert raw.split.tolist() == expected
    assert raw.spec.attributes == ()
    prepare(tmp_path / "s.h5", raw)
    data = open_store(tmp_path / "s.h5")
    assert data.split.tolist() == expected
    assert data.provenance["split"] == "as labelled"


@pytest.mark.parametrize("given", [("train",), ("train", "test"), ("train", "validation")])
def test_a_split_that_no_row_has_comes_from_the_training_images(
    tmp_path: Path, given: tuple[str, ...]
) -> None:
    said: list[str] = []
    split = ["train"] * 40 + [name for name in given[1:] for _ in range(4)]
    raw = read(tmp_path, {"domain": ["ab"[i % 2] for i in range(len(split))], "split": split}, said.append)
    assert raw.split is not None
    names = [SPLITS[i] for i in raw.split]
    assert names[40:] == split[40:]
    for name in set(SPLITS[1:]) - set(given):
        drawn = [row for row in range(40) if names[row] == name]
        assert len(drawn) == 4
        assert sum(row % 2 for row in drawn) == 2
    (message,) = said
    assert "so a tenth of every domain's training images is taken" in message


def test_a_word_that_is_no_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"labels\.csv, line 5, column split: left is not a split: write train, "
    ):
        read(tmp_path, {"domain": list("aabb"), "split": ["train", "test", "val", "left"]})


def test_a_split_without_training_images_of_a_domain_is_refused(tmp_path: Path) -> None:
    split = ["train", "train", "val", "test", "test", "test"]
    with pytest.raises(UserError, match="domain b has 0 training images"):
        prepare(tmp_path / "s.h5", read(tmp_path, {"domain": list("aaabbb"), "split": split}))


def test_the_only_training_image_of_a_domain_is_named(tmp_path: Path) -> None:
    split = ["train", "train", "train", "train", "test", "test"]
    with pytest.raises(
        UserError, match=r"labels\.csv, line 5, column split: it is the only training image of its domain"
    ):
        read(tmp_path, {"domain": list("aaabbb"), "split": split}, warn=str)


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_keeps_training_images_of_every_domain(tmp_path: Path, seed: int) -> None:
    split = (["train"] * 4 + ["validation"] * 3 + ["test"] * 3) * 4
    columns = {"domain": [name for name in "abcd" for _ in range(10)], "split": split}
    raw = read(tmp_path, columns, str, subsample=12, seed=seed)
    assert raw.split is not None
    assert len(raw.split) == 12
    assert (np.bincount(raw.domain[raw.split == 0], minlength=4) >= 2).all()


def test_angles_are_cyclic_and_have_a_margin(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "domain": ["ab"[i % 2] for i in range(32)],
        "angle": 4 * ANGLES,
        "size": 4 * [1, 2, 3, 4, 5, 6, 7, 8],
    }
    raw = read(tmp_path, columns, cyclic=["angle"], margin={"angle": 3, "size": 6})
    classes = tuple(map(str, ANGLES))
    expected = (
        Attribute("angle", 8, cyclic=True, margin=3, classes=classes),
        Attribute("size", 8, margin=6, classes=tuple("12345678")),
    )
    assert raw.spec.attributes == expected
    prepare(tmp_path / "s.h5", raw)
    assert open_store(tmp_path / "s.h5").spec.attributes == expected


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (ANGLES, {"margin": {"angle": 4}, "cyclic": ["angle"]}, r"with 8 classes every answer .* at most 3"),
        (
            ANGLES,
            {"margin": {"angle": 7}},
            r"with 8 classes every answer would count as correct; give at most 6",
        ),
        (["left", "right"] * 4, {"cyclic": ["angle"]}, "have no known order, as left is not a number"),
        (
            [0.5, 1.5] * 4,
            {"cyclic": ["angle"]},
            r"cyclic=\['angle'\]: it is a continuous .* categorical=\['angle'\]",
        ),
        ([0.5, 1.5] * 4, {"margin": {"angle": 1}}, r"margin=\{'angle': 1\}: it is a continuous"),
        (ANGLES, {"cyclic": ["turn"]}, "no attribute turn to be cyclic; its attributes: angle"),
        (ANGLES, {"margin": {"turn": 1}}, "no attribute turn to be given a margin"),
    ],
)
def test_what_has_no_order_has_no_neighbours(
    tmp_path: Path, values: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, {"domain": list("ababbaba"), "angle": values}, warn=str, **options)


def test_classes_at_unequal_distances_are_doubted(tmp_path: Path) -> None:
    said: list[str] = []
    read(tmp_path, {"domain": list("ababab"), "angle": [0, 45, 180] * 2}, said.append, margin={"angle": 1})
    assert "not equally spaced (steps of 45, 135), but margin={'angle': 1} counts each as one step" in said[0]


def test_small_domains_and_a_sample_are_recorded(tmp_path: Path) -> None:
    raw = read(tmp_path, {"domain": list("aaaaaabbbbcd")}, min_per_domain=3, subsample=5, seed=7)
    assert raw.spec.domains == ("a", "b")
    assert np.bincount(raw.domain).tolist() == [3, 2]
    reds = np.concatenate(list(raw.images))[:, 0, 0, 0]
    assert all(raw.domain[i] == (red > 5) for i, red in enumerate(reds))
    assert raw.notes == {
        "fit": "crop",
        "dropped": "2 domains of fewer than 3 images, with 2 images in all",
        "subsample": "5 of 10 images, drawn with seed 7 in proportion to the domains' sizes",
    }
