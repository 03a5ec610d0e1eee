"""Tests of ``dcodr.data.sources.edges2shoes``: on small files laid out as the published ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dcodr.data.prepare import prepare
from dcodr.data.sources.edges2shoes import closest, common, read_edges2shoes
from dcodr.data.store import open_store
from dcodr.errors import UserError

N_PHOTOS = 520
COLUMNS = "CID,Category,SubCategory,HeelHeight,Insole,Closure,Gender,Material,ToeStyle"


def shoe(number: int, side: int) -> Image.Image:
    """A picture that differs from number to number: four quarters of their own colour."""
    colours = np.random.default_rng(number).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)


def write_zappos(folder: Path) -> None:
    """The first half are Boots for Women, the second Shoes for Men; a few are rare or unlabelled."""
    names, rows = [], [COLUMNS]
    for number in range(N_PHOTOS):
        first = number < N_PHOTOS // 2
        category, gender = ("Boots", "Women") if first else ("Shoes", "Men;Boys")
        names.append(f"{category}/Ankle/A Brand/{number}.3.jpg")
        rows.append(f'{number}-3,{"Slippers" if number == 7 else category},"a, b",,,,{gender},,')
        path = folder / "ut-zap50k-images-square" / names[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        shoe(number, 136).save(path, quality=90)
    (folder / "ut-zap50k-data").mkdir()
    (folder / "ut-zap50k-data" / "meta-data.csv").write_text("\n".join(rows) + "\n")
    cells = np.array([[name] for name in names], dtype=object)
    savemat(folder / "ut-zap50k-data" / "image-path.mat", {"imagepath": cells})


def write_pair(path: Path, number: int) -> None:
    pair = Image.new("RGB", (512, 256), "white")
    pair.paste(shoe(number, 256), (256, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    pair.save(path, quality=75)


SHOWN = {"train/1_AB.jpg": 3, "train/2_AB.jpg": 400, "train/10_AB.jpg": 7, "val/1_AB.jpg": 519}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shoes")
    write_zappos(folder)
    for name, number in SHOWN.items():
        write_pair(folder / "edges2shoes" / name, number)
    return folder


@pytest.fixture
def raw(published: Path, tmp_path: Path) -> Path:
    """The same, but what a test changes is a copy."""
    for name in ("ut-zap50k-images-square", "edges2shoes"):
        (tmp_path / name).symlink_to(published / name)
    (tmp_path / "ut-zap50k-data").mkdir()
    for file in (published / "ut-zap50k-data").iterdir():
        (tmp_path / "ut-zap50k-data" / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_photos_get_the_labels_of_the_same_shoe(published: Path) -> None:
    spec, chunks, domain, attributes, *_ = read_edges2shoes(published)
    images = np.concatenate(list(chunks))
    shoe_type, gender = spec.attributes
    assert shoe_type.classes == ("Boots", "Other", "Shoes")
    assert gender.classes == ("Men", "Women")
    assert spec.domains == ("edges", "photo")
    np.testing.assert_array_equal(domain, [0, 1] * 4)
    assert [shoe_type.classes[label] for label in attributes["shoe_type"][::2]] == [
        "Boots",
        "Shoes",
        "Other",
        "Shoes",
    ]
    assert [gender.classes[label] for label in attributes["gender"][1::2]] == ["Women", "Men", "Women", "Men"]
    np.testing.assert_array_equal(attributes["gender"][::2], attributes["gender"][1::2])
    assert images.shape == (8, 64, 64, 3)
    for edges, photo, number in zip(images[::2], images[1::2], SHOWN.values(), strict=True):
        assert edges.min() > 240
        expected = np.asarray(shoe(number, 64), dtype=int)
        assert np.abs(photo - expected)[8:24, 8:24].max() < 12


def test_the_closest_is_that_of_a_plain_search() -> None:
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(5, 1, (n, 6)).astype(np.float32) for n in (30, 40))
    plain = [min(range(40), key=lambda j: float(((q - candidates[j]) ** 2).sum())) for q in queries]
    np.testing.assert_array_equal(closest(queries, candidates, block=7), plain)


def test_rare_and_empty_labels_are_other() -> None:
    values = ["Men;Women"] * 200 + ["Men"] * 51 + ["Girls"] * 250 + [""] * 3
    assert common(values) == ["Men"] * 251 + ["Other"] * 253


def test_it_is_prepared(published: Path, tmp_path: Path) -> None:
    (tmp_path / "edges2shoes").mkdir()
    for name in ("ut-zap50k-images-square", "ut-zap50k-data"):
        (tmp_path / name).symlink_to(published / name)
    for number in range(30):
        write_pair(tmp_path / "edges2shoes" / "train" / f"{number}_AB.jpg", number * 17)
    calls: list[tuple[int, int]] = []
    raw = read_edges2shoes(tmp_path, lambda done, total: calls.append((done, total)))
    prepare(tmp_path / "e.h5", raw)
    data = open_store(tmp_path / "e.h5")
    assert np.bincount(data.split).tolist() == [48, 6, 6]
    assert calls == [(30, 30)]
    assert data.spec.domain == "kind"


def test_photos_of_other_shoes_are_refused(raw: Path) -> None:
    (raw / "edges2shoes").unlink()
    for number in range(5):
        write_pair(raw / "edges2shoes" / "train" / f"{number}_AB.jpg", 10_000 + number)
    with pytest.raises(UserError, match="differ from the closest of ut-zap50k-images-square"):
        read_edges2shoes(raw)


@pytest.mark.parametrize("name", ["meta-data.csv", "image-path.mat"])
def test_a_missing_table_is_named(raw: Path, name: str) -> None:
    (raw / "ut-zap50k-data" / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read"):
        read_edges2shoes(raw)


def test_pairs_that_are_not_there_are_named(raw: Path) -> None:
    (raw / "edges2shoes").unlink()
    with pytest.raises(UserError, match=r"no train/1_AB\.jpg and so on in .*edges2shoes"):
        read_edges2shoes(raw)


def test_a_pair_of_another_size_is_refused(raw: Path) -> None:
    (raw / "edges2shoes").unlink()
    (raw / "edges2shoes" / "train").mkdir(parents=True)
    shoe(1, 256).save(raw / "edges2shoes" / "train" / "1_AB.jpg")
    with pytest.raises(UserError, match=r"1_AB\.jpg is 256 x 256 pixels; expected 512 x 256"):
        read_edges2shoes(raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CID,Category\n1-3,Boots\n", "has no column Gender"),
        (f"{COLUMNS}\n", "or no rows"),
        (f"{COLUMNS}\n1-3,Boots,,,,,Men,,\n", "has 1 rows for the 520 names"),
    ],
)
def test_another_table_is_refused(raw: Path, text: str, message: str) -> None:
    (raw / "ut-zap50k-data" / "meta-data.csv").write_text(text)
    with pytest.raises(UserError, match=rf"meta-data\.csv.*{message}"):
        read_edges2shoes(raw)


def test_names_outside_of_the_folder_are_refused(raw: Path) -> None:
    cells = np.array([["../../secret.jpg"]] * N_PHOTOS, dtype=object)
    savemat(raw / "ut-zap50k-data" / "image-path.mat", {"imagepath": cells})
    with pytest.raises(UserError, match=r"secret\.jpg is outside of"):
        read_edges2shoes(raw)


def test_names_with_a_nul_are_refused(raw: Path) -> None:
    path = raw / "ut-zap50k-data" / "image-path.mat"
    savemat(path, {"imagepath": np.array([["a\1b"]] * N_PHOTOS, dtype=object)})
    path.write_bytes(path.read_bytes().replace(b"a\1b", b"a\0b"))  # scipy would write a blank for it
    with pytest.raises(UserError, match=r"image-path\.mat: a name is not a path"):
        read_edges2shoes(raw)
