"""Files that are no store, or a damaged one: each is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dcodr.data.store import open_store, write_store
from dcodr.errors import UserError
from tests.dcodr.data.chairs import content


def test_a_missing_store_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cars3d\.h5 is not there.*python -m dcodr data prepare"):
        open_store(tmp_path / "cars3d.h5")


@pytest.mark.parametrize("raw", [b"", b"images", b"\x89HDF\r\n\x1a\n" + bytes(2000)])
def test_a_file_that_is_not_hdf5_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "chairs.h5"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"chairs\.h5: cannot be read as HDF5"):
        open_store(path)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_store_is_refused(store: Path, kept: float) -> None:
    raw = store.read_bytes()
    store.write_bytes(raw[: int(kept * len(raw))])
    with pytest.raises(UserError, match=r"chairs\.h5"):
        open_store(store)


def test_damage_anywhere_is_refused_or_harmless(store: Path) -> None:
    raw, rng = store.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        damaged = np.frombuffer(raw, np.uint8).copy()
        damaged[rng.integers(0, len(raw), 20)] = rng.integers(0, 256, 20)
        store.write_bytes(damaged.tobytes())
        try:
            assert len(open_store(store).images) == 60
        except UserError:
            refused += 1
    assert refused > 0


def replace_dataset(name: str, values: np.ndarray, **options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=values, **options)

    return change


def remove_domain(file: h5py.File) -> None:
    del file["domain"]


def link_domain(file: h5py.File) -> None:
    elsewhere = Path(file.filename).with_name("elsewhere.h5")
    write_store(elsewhere, **content(seed=1))
    del file["domain"]
    file["domain"] = h5py.ExternalLink(str(elsewhere), "domain")


def store_images_elsewhere(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset(
        "images", (60, 8, 8, 3), np.uint8, external=[("elsewhere.bin", 0, h5py.h5f.UNLIMITED)]
    )


def new_version(file: h5py.File) -> None:
    file.attrs["format_version"] = 2


def header_of_another_kind(file: h5py.File) -> None:
    header = json.loads(file["header"][...].tobytes())
    header["spec"]["attributes"][0]["cardinality"] = "twelve"
    replace_dataset("header", np.frombuffer(json.dumps(header).encode(), np.uint8))(file)


def fit_of_no_version(file: h5py.File) -> None:
    header = json.loads(file["header"][...].tobytes())
    header["provenance"]["fit"] = "fold"
    replace_dataset("header", np.frombuffer(json.dumps(header).encode(), np.uint8))(file)


LABELS = content()


WRONG_ANGLE = np.where(np.arange(60) == 8, 12, LABELS["attributes"]["angle"])


WRONG_LANDMARKS = np.where(np.arange(60)[:, None] == 8, np.float32("nan"), LABELS["attributes"]["landmarks"])


NAMES = np.array(["red"] * 60, dtype=object)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (new_version, "has format version 2, not 1"),
        (header_of_another_kind, "header is damaged"),
        (fit_of_no_version, "header: fit is 'fold'; expected crop, pad, stretch"),
        (remove_domain, "domain is missing"),
        (link_domain, "domain is missing or damaged"),
        (store_images_elsewhere, "images is missing or damaged, or lies in another file"),
        (replace_dataset("images", LABELS["images"], chunks=True), "images is not stored in one piece"),
        (replace_dataset("images", LABELS["images"].astype(np.float32)), "images is float32, not uint8"),
        (replace_dataset("images", LABELS["images"][:, :4]), r"images has shape \(60, 4, 8, 3\)"),
        (replace_dataset("images", LABELS["images"][:50]), r"domain: int64 of shape \(60,\)"),
        (replace_dataset("domain", LABELS["domain"] + 1), r"domain: 5 in row \d+"),
        (replace_dataset("domain", LABELS["domain"] // 2), "chair 3 has 0 training images"),
        (
            replace_dataset("attributes/colour", NAMES, dtype=h5py.string_dtype()),
            "attributes/colour is object",
        ),
        (replace_dataset("attributes/angle", WRONG_ANGLE), "attributes/angle: 12 in row 8"),
        (replace_dataset("attributes/landmarks", WRONG_LANDMARKS), r"attributes/landmarks: .*nan.* in row 8"),
        (replace_dataset("split", np.full(60, 3, np.uint8)), "split: 3 in row 0"),
        (replace_dataset("split", np.zeros(60, np.uint8)), "split: none of the 60 images is left"),
    ],
)
def test_another_layout_is_refused(store: Path, change: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(store, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=rf"chairs\.h5: .*{message}"):
        open_store(store)
