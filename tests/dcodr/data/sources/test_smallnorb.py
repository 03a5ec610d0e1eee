"""Tests of ``dcodr.data.sources.smallnorb``: on small files written byte by byte as the published ones."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dcodr.data.prepare import prepare
from dcodr.data.sources.smallnorb import PARTS, SMALLNORB, read_smallnorb
from dcodr.data.store import open_store
from dcodr.errors import UserError

MAGIC = {np.dtype(np.uint8): 0x1E3D4C55, np.dtype("<i4"): 0x1E3D4C54}


def write_matrix(path: Path, values: np.ndarray) -> None:
    """Write the published format; ones stand in for dimensions below three."""
    dims = [*values.shape, 1, 1][: max(3, values.ndim)]
    header = struct.pack(f"<{2 + len(dims)}i", MAGIC[values.dtype], values.ndim, *dims)
    path.write_bytes(header + values.tobytes())


def labels(instances: list[int], n: int) -> tuple[np.ndarray, np.ndarray]:
    """``n`` rows of category and info for each category, of these instances in turn."""
    rng = np.random.default_rng(0)
    category = np.repeat(np.arange(5), n).astype("<i4")
    columns = (
        np.resize(instances, 5 * n),
        rng.integers(0, 9, 5 * n),
        2 * rng.integers(0, 18, 5 * n),
        rng.integers(0, 6, 5 * n),
    )
    return category, np.stack(columns, axis=1).astype("<i4")


def flat_pairs(category: np.ndarray, info: np.ndarray) -> np.ndarray:
    """Left images of one grey that says which toy and azimuth they show; right ones are white."""
    pairs = np.full((len(category), 2, 96, 96), 255, np.uint8)
    pairs[:, 0] = (category * 40 + info[:, 0] * 4 + info[:, 2] // 9)[:, None, None]
    return pairs


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for part, instances in zip(PARTS, ([4, 6, 7, 8, 9], [0, 1, 2, 3, 5]), strict=True):
        category, info = labels(instances, 20)
        write_matrix(tmp_path / f"{part}-cat.mat", category)
        write_matrix(tmp_path / f"{part}-info.mat", info)
        write_matrix(tmp_path / f"{part}-dat.mat", flat_pairs(category, info))
    return tmp_path


def test_labels_belong_to_their_left_images(raw: Path) -> None:
    _, chunks, domain, attributes, *_ = read_smallnorb(raw)
    images = np.concatenate(list(chunks))
    assert images.shape == (200, 64, 64, 3)
    assert images.dtype == np.uint8
    shown = (domain // 10) * 40 + (domain % 10) * 4 + 2 * attributes["azimuth"] // 9
    np.testing.assert_array_equal(images, np.broadcast_to(shown[:, None, None, None], images.shape))
    _, info = labels([4, 6, 7, 8, 9], 20)
    np.testing.assert_array_equal(attributes["elevation"][:100], info[:, 1])
    np.testing.assert_array_equal(attributes["azimuth"][:100] * 2, info[:, 2])
    np.testing.assert_array_equal(attributes["lighting"][:100], info[:, 3])
    assert SMALLNORB.domains[domain[0]] == "animal 4"
    assert SMALLNORB.domains[domain[-1]] == "car 5"


def test_the_spec_is_the_published_one() -> None:
    assert len(SMALLNORB.domains) == 50
    azimuth, elevation, lighting = SMALLNORB.attributes
    assert (azimuth.cardinality, azimuth.cyclic, azimuth.margin) == (18, True, 3)
    assert (elevation.cardinality, elevation.cyclic, elevation.margin) == (9, False, 0)
    assert (lighting.cardinality, lighting.cyclic, lighting.margin) == (6, False, 0)


def test_three_pixels_become_two_by_area(raw: Path) -> None:
    category, info = labels([4], 1)
    pairs = np.random.default_rng(1).integers(0, 256, (5, 2, 96, 96), dtype=np.uint8)
    for kind, values in (("cat", category), ("info", info), ("dat", pairs)):
        write_matrix(raw / f"{PARTS[0]}-{kind}.mat", values)
    images = next(iter(read_smallnorb(raw).images))
    weights = np.kron(np.eye(32), np.array([[2, 1, 0], [0, 1, 2]])) / 3
    expected = weights @ pairs[:, 0] @ weights.T
    assert np.abs(images - expected[..., None]).max() <= 0.5 + 1e-9


def test_gzipped_files_read_the_same(raw: Path, tmp_path: Path) -> None:
    _, plain, domain, *_ = read_smallnorb(raw)
    expected = np.concatenate(list(plain))
    for path in list(raw.glob("*.mat")):
        path.with_suffix(".mat.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
    _, zipped, domain_again, *_ = read_smallnorb(raw)
    np.testing.assert_array_equal(np.concatenate(list(zipped)), expected)
    np.testing.assert_array_equal(domain_again, domain)


def test_it_is_prepared_with_all_toys_in_all_splits(raw: Path) -> None:
    calls: list[tuple[int, int]] = []
    prepare(raw / "s.h5", read_smallnorb(raw, lambda done, total: calls.append((done, total))))
    data = open_store(raw / "s.h5")
    assert data.spec == SMALLNORB
    assert calls == [(100, 200), (200, 200)]
    assert np.bincount(data.split).tolist() == [160, 20, 20]


@pytest.mark.parametrize("kind", ["dat", "cat", "info"])
def test_a_missing_file_is_named(raw: Path, kind: str) -> None:
    (raw / f"{PARTS[1]}-{kind}.mat").unlink()
    with pytest.raises(UserError, match=rf"neither {PARTS[1]}-{kind}\.mat nor .*\.gz is in"):
        read_smallnorb(raw)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("cat", np.zeros(100, np.uint8), r"begins with 0x1e3d4c55, 1; expected 0x1e3d4c54 of int32"),
        ("cat", np.full(100, 5, "<i4"), r"row 0: category 5; expected a number in 0\.\.4"),
        ("cat", np.zeros(99, "<i4"), r"has 100 rows; .*has 99"),
        ("info", np.zeros((100, 3), "<i4"), r"data of shape \(100, 3\); expected \('N', 4\)"),
        ("info", np.full((100, 4), 3, "<i4"), r"row 0: azimuth 3; expected an even number in 0\.\.35"),
        ("info", np.full((100, 4), 6, "<i4"), r"row 0: lighting 6; expected a number in 0\.\.5"),
        ("dat", np.zeros((100, 2, 64, 64), np.uint8), r"data of shape \(100, 2, 64, 64\)"),
    ],
)
def test_what_is_not_as_published_is_refused(raw: Path, kind: str, values: np.ndarray, message: str) -> None:
    write_matrix(raw / f"{PARTS[0]}-{kind}.mat", values)
    with pytest.raises(UserError, match=rf"{PARTS[0]}-.*{message}"):
        list(read_smallnorb(raw).images)


@pytest.mark.parametrize("kind", ["dat", "cat"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_damaged_file_is_refused(raw: Path, kind: str, suffix: str) -> None:
    path = raw / f"{PARTS[0]}-{kind}.mat"
    content = path.read_bytes()
    path.unlink()
    packed = gzip.compress(content, 1) if suffix else content
    target = path.with_name(path.name + suffix)
    target.write_bytes(packed[:-20])
    with pytest.raises(UserError, match=r"(ends too early|is damaged).*download it again"):
        list(read_smallnorb(raw).images)
    longer = content + b"\0"
    target.write_bytes(gzip.compress(longer, 1) if suffix else longer)
    with pytest.raises(UserError, match="more data than its header says"):
        list(read_smallnorb(raw).images)
