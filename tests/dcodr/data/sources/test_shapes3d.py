"""Tests of ``dcodr.data.sources.shapes3d``: on small files laid out as the published one."""

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from dcodr.data.dataset import stratified_split
from dcodr.data.prepare import prepare
from dcodr.data.sources.shapes3d import SHAPES3D, read_shapes3d, split_fractions
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.evaluation.retrieval import Classes, n_matches

# Factors in the published order, with the published values.
VALUES = (
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    [0.75 + 0.5 * step / 7 for step in range(8)],
    [0.0, 1.0, 2.0, 3.0],
    [-30 + 60 * step / 14 for step in range(15)],
)


def scenes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels in the published order, the last factor running fastest, and images that show their row."""
    every = np.array(list(itertools.product(*(values[::2] for values in VALUES))))
    rows = every[np.linspace(0, len(every) - 1, n).astype(int)]
    images = np.zeros((n, 64, 64, 3), np.uint8)
    images[..., 0] = (np.arange(n) // 256)[:, None, None]
    images[..., 1] = (np.arange(n) % 256)[:, None, None]
    return images, rows


def write(folder: Path, images: Any, labels: Any, **layout: Any) -> Path:
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        file.create_dataset("images", data=images, **layout)
        file.create_dataset("labels", data=labels)
    return folder


LAYOUTS = [
    {"compression": "gzip", "chunks": (150, 4, 4, 1)},
    {"chunks": (7, 64, 64, 3)},
    {"chunks": (1, 64, 64, 3)},
    {},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_belong_to_their_images(tmp_path: Path, layout: dict[str, Any]) -> None:
    raw, labels = scenes(400)
    _, chunks, shape, attributes, *_ = read_shapes3d(write(tmp_path, raw, labels, **layout), 90)
    images = np.concatenate(list(chunks))
    assert images.dtype == np.uint8
    rows = images[:, 0, 0].astype(int) @ [256, 1, 0]
    assert len(np.unique(rows)) == 90
    np.testing.assert_array_equal(images, raw[rows])
    found = {**attributes, "shape": shape}
    names = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    for name, values, column in zip(names, VALUES, labels[rows].T, strict=True):
        np.testing.assert_allclose(np.array(values)[found[name]], column, atol=1e-12)


def test_the_spec_is_the_published_one() -> None:
    assert SHAPES3D.domain == "shape"
    sizes = {attribute.name: attribute.cardinality for attribute in SHAPES3D.attributes}
    assert sizes == {"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "orientation": 15}
    assert {attribute.margin for attribute in SHAPES3D.attributes} == {0}


def test_only_blocks_with_drawn_images_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, labels = scenes(400)
    write(tmp_path, raw, labels, chunks=(10, 64, 64, 3))
    read: list[int] = []
    getitem = h5py.Dataset.__getitem__

    def counted(dataset: Any, key: Any, *rest: Any) -> Any:
        result = getitem(dataset, key, *rest)
        if dataset.name == "/images":
            read.append(len(result))
        return result

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    _, chunks, *_ = read_shapes3d(tmp_path, 20)
    assert not read
    assert sum(map(len, chunks)) == 20
    assert len(read) <= 20
    assert max(read) <= 10


def test_the_seed_alone_determines_the_draw(tmp_path: Path) -> None:
    write(tmp_path, *scenes(300))
    draws = [np.concatenate(list(read_shapes3d(tmp_path, 40, seed).images)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_the_default_leaves_the_papers_training_images() -> None:
    from dcodr.data.dataset import stratified_split

    shape = np.random.default_rng(0).integers(0, 4, 62_500)
    assert np.bincount(stratified_split(shape, 0)).tolist() == [50_000, 6_250, 6_250]


@pytest.mark.parametrize(
    ("n_images", "sizes"),
    [
        (1_000, [800, 100, 100]),
        (62_500, [50_000, 6_250, 6_250]),
        (100_000, [50_000, 6_250, 43_750]),
        (480_000, [50_000, 6_250, 423_750]),
    ],
)
def test_more_images_are_for_testing_and_train_keeps_the_papers(n_images: int, sizes: list[int]) -> None:
    domain = np.arange(n_images) % 4
    split = stratified_split(domain, 0, split_fractions(n_images))
    assert np.bincount(split).tolist() == sizes
    for one in range(3):
        assert np.ptp(np.bincount(domain[split == one])) <= 2


def test_with_all_images_a_match_is_in_the_gallery_and_with_the_default_seldom() -> None:
    """The printed 1.00 of Table 6, with every combination of factors once in each of the four shapes."""
    combinations = 120_000
    rng = np.random.default_rng(0)
    for n_images, ceiling in ((480_000, 1.0), (62_500, 1 - (1 - 56_250 / 480_000) ** 3)):
        drawn = np.sort(rng.choice(4 * combinations, n_images, replace=False))
        split = stratified_split(drawn // combinations, 0, split_fractions(n_images))
        gallery = torch.from_numpy(np.concatenate([drawn[split == 0], drawn[split == 2]]) % combinations)
        queries = torch.arange(50_000, len(gallery))
        share = (n_matches([Classes(gallery, combinations)], queries) > 0).double().mean().item()
        assert share == pytest.approx(ceiling, abs=0.02)


def test_it_is_prepared(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write(tmp_path, *scenes(300), chunks=(100, 8, 8, 1))
    raw = read_shapes3d(tmp_path, 200, on_progress=lambda done, total: calls.append((done, total)))
    prepare(tmp_path / "s.h5", raw)
    data = open_store(tmp_path / "s.h5")
    assert np.bincount(data.split).tolist() == [160, 20, 20]
    assert calls[-1] == (200, 200)
    assert len(calls) == 3


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no .*3dshapes\.h5"):
        read_shapes3d(tmp_path, 10)


@pytest.mark.parametrize("content", [b"", b"hello" * 100])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "3dshapes.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"3dshapes\.h5 cannot be read as HDF5"):
        read_shapes3d(tmp_path, 10)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, *scenes(50)) / "3dshapes.h5"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be read as HDF5"):
        read_shapes3d(tmp_path, 10)


def test_damaged_images_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
    path = write(tmp_path, images, scenes(30)[1], compression="gzip") / "3dshapes.h5"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 2] = bytes(len(raw) // 2 - len(raw) // 3)
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"3dshapes\.h5"):
        list(read_shapes3d(tmp_path, 30).images)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((5, 32, 32, 3), np.uint8), np.zeros((5, 6)), r"images is uint8 of shape \(5, 32, 32, 3\)"),
        (np.zeros((5, 64, 64, 3)), np.zeros((5, 6)), "images is float64"),
        (np.zeros((5, 64, 64, 3), np.uint8), np.zeros((5, 5)), r"labels is float64 of shape \(5, 5\)"),
        (np.zeros((5, 64, 64, 3), np.uint8), np.zeros((4, 6)), "4 labels for 5 images"),
        (np.zeros((5, 64, 64, 3), np.uint8), np.full((5, 6), 0.25), r"row \d: floor_hue 0\.25; expected one"),
        (np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 6)), "cannot draw 3 images: .* has 2"),
    ],
)
def test_what_is_not_as_published_is_refused(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_shapes3d(write(tmp_path, images, labels), 3)


def test_a_file_without_labels_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"] = np.zeros((5, 64, 64, 3), np.uint8)
    with pytest.raises(UserError, match="has no labels"):
        read_shapes3d(tmp_path, 3)
