"""Stores: they are read as they were written, and a writing that fails leaves nothing behind."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from dcodr.data.dataset import Attribute, DatasetSpec, stratified_split
from dcodr.data.store import open_store, verify_store, write_store
from dcodr.errors import UserError
from tests.dcodr.data.chairs import SPEC, content


def test_what_is_written_is_read(store: Path) -> None:
    written, read = content(), open_store(str(store))
    assert read.spec == replace(SPEC, domains=("0", "1", "2", "3", "4"))
    assert read.provenance == written["provenance"]
    assert read.fit == "crop"  # as in stores of earlier versions
    for name in ("images", "domain", "split"):
        stored = getattr(read, name)
        np.testing.assert_array_equal(stored, written[name])
        assert stored.dtype == written[name].dtype
    assert list(read.attributes) == ["angle", "colour", "landmarks"]
    for name, labels in read.attributes.items():
        np.testing.assert_array_equal(labels, written["attributes"][name])
        assert labels.dtype == written["attributes"][name].dtype


def test_chunks_make_the_same_store_as_one_array(tmp_path: Path, store: Path) -> None:
    whole = content()
    chunks = iter([whole["images"][:7], whole["images"][7:50], whole["images"][50:]])
    write_store(tmp_path / "chunks.h5", **{**whole, "images": chunks})
    read = open_store(tmp_path / "chunks.h5")
    np.testing.assert_array_equal(read.images, whole["images"])
    assert read.fingerprint == open_store(store).fingerprint


def change_image(stored: dict[str, Any]) -> None:
    stored["images"][3, 2, 1, 0] ^= 1


def change_domain(stored: dict[str, Any]) -> None:
    stored["domain"][np.flatnonzero(stored["domain"] == 0)[0]] = 1


def change_attribute(stored: dict[str, Any]) -> None:
    stored["attributes"]["landmarks"][5, 1] += 0.25


def change_split(stored: dict[str, Any]) -> None:
    stored["split"][np.flatnonzero(stored["split"] == 2)[0]] = 1


def change_spec(stored: dict[str, Any]) -> None:
    stored["spec"] = replace(SPEC, domain="seat")


@pytest.mark.parametrize("change", [change_image, change_domain, change_attribute, change_split, change_spec])
def test_the_fingerprint_covers_all_that_matters(
    change: Callable[[dict[str, Any]], None], tmp_path: Path, store: Path
) -> None:
    changed = content()
    change(changed)
    write_store(tmp_path / "changed.h5", **changed)
    assert open_store(tmp_path / "changed.h5").fingerprint != open_store(store).fingerprint


def test_the_fingerprint_does_not_depend_on_provenance(tmp_path: Path, store: Path) -> None:
    write_store(tmp_path / "again.h5", **{**content(), "provenance": {"source": "elsewhere"}})
    assert open_store(tmp_path / "again.h5").fingerprint == open_store(store).fingerprint


def test_verify_finds_one_changed_bit(store: Path) -> None:
    verify_store(store)
    with h5py.File(store, "r+") as file:
        file["images"][9, 0, 0, 0] ^= 1
    with pytest.raises(UserError, match=r"chairs\.h5.*fingerprint"):
        verify_store(store)


def test_domains_are_numbered_densely_and_keep_their_labels(tmp_path: Path) -> None:
    stored = content()
    identities = np.array([900, 3, 41, 7, 500])
    write_store(tmp_path / "people.h5", **{**stored, "domain": identities[stored["domain"]]})
    data = open_store(tmp_path / "people.h5")
    assert data.spec.domains == ("3", "7", "41", "500", "900")
    names = np.array(data.spec.domains, dtype=int)[data.domain]
    np.testing.assert_array_equal(names, identities[stored["domain"]])


def test_named_domains_that_have_no_images_are_dropped(tmp_path: Path) -> None:
    stored = content()
    stored["spec"] = replace(SPEC, domains=("a", "b", "c", "d", "e", "f", "g"))
    stored["domain"] = stored["domain"] + 2
    write_store(tmp_path / "named.h5", **stored)
    assert open_store(tmp_path / "named.h5").spec.domains == ("c", "d", "e", "f", "g")


def test_ten_thousand_named_domains_fit(tmp_path: Path) -> None:
    domain = np.repeat(np.arange(10_000), 3)
    spec = DatasetSpec("people", "person", (), domains=tuple(f"person number {i}" for i in range(10_000)))
    images = np.zeros((len(domain), 1, 1, 3), np.uint8)
    write_store(tmp_path / "people.h5", spec, images, domain, {}, stratified_split(domain, 0), {})
    assert open_store(tmp_path / "people.h5").spec == spec


def with_label(name: str, row: int, value: float) -> dict[str, Any]:
    stored = content()
    labels = stored["domain"] if name == "domain" else stored["attributes"][name]
    labels = labels.astype(np.float64)
    labels[row] = value
    if name == "domain":
        return {**stored, "domain": labels}
    return {**stored, "attributes": {**stored["attributes"], name: labels}}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("domain", np.nan, "dataset chairs, chair: nan in row 7"),
        ("domain", -1, "dataset chairs, chair: -1.0 in row 7"),
        ("domain", 0.5, "dataset chairs, chair: 0.5 in row 7"),
        ("angle", np.nan, "dataset chairs, angle: nan in row 7"),
        ("angle", 1.5, "dataset chairs, angle: 1.5 in row 7"),
        ("angle", -1, "dataset chairs, angle: -1.0 in row 7"),
        ("angle", 12, r"dataset chairs, angle: 12.0 in row 7; expected a class id in 0\.\.11"),
        ("landmarks", 1e60, r"dataset chairs, landmarks: \[1\.e\+60.* in row 7"),
        ("landmarks", np.inf, r"dataset chairs, landmarks: \[inf.* in row 7"),
    ],
)
def test_a_label_that_is_none_is_refused(tmp_path: Path, name: str, value: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_store(tmp_path / "chairs.h5", **with_label(name, 7, value))
    assert not any(tmp_path.iterdir())


def one_domain(stored: dict[str, Any]) -> None:
    stored["domain"] = np.zeros(60, np.int64)


def no_validation(stored: dict[str, Any]) -> None:
    stored["split"][stored["split"] == 1] = 0


def untrained_domain(stored: dict[str, Any]) -> None:
    stored["split"][stored["domain"] == 2] = 1


def missing_attribute(stored: dict[str, Any]) -> None:
    del stored["attributes"]["angle"]


def too_few_classes(stored: dict[str, Any]) -> None:
    stored["spec"] = replace(SPEC, attributes=(Attribute("colour", 3, classes=("red",)),))
    stored["attributes"] = {"colour": stored["attributes"]["colour"]}


def too_few_images(stored: dict[str, Any]) -> None:
    stored["images"] = stored["images"][:-1]


def images_of_two_sizes(stored: dict[str, Any]) -> None:
    stored["images"] = iter([stored["images"][:30], np.zeros((30, 9, 9, 3), np.uint8)])


def float_images(stored: dict[str, Any]) -> None:
    stored["images"] = stored["images"] / 255


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (one_domain, "only 1 domain; at least 2 are needed"),
        (no_validation, "none of the 60 images is left for validation"),
        (untrained_domain, "chair 2 has 0 training images"),
        (missing_attribute, "do not match its attributes"),
        (too_few_classes, "1 class names for 3 classes"),
        (too_few_images, "59 images for 60 labels"),
        (images_of_two_sizes, r"images 30\.\.59: uint8 of shape \(30, 9, 9, 3\)"),
        (float_images, r"float64 of shape \(60, 8, 8, 3\)"),
    ],
)
def test_inconsistent_content_is_refused_and_nothing_is_written(
    tmp_path: Path, break_it: Callable[[dict[str, Any]], None], message: str
) -> None:
    stored = content()
    break_it(stored)
    with pytest.raises(UserError, match=message):
        write_store(tmp_path / "chairs.h5", **stored)
    assert not any(tmp_path.iterdir())


def test_an_interrupted_writing_leaves_the_old_store(store: Path) -> None:
    before = store.read_bytes()

    def interrupted() -> Iterator[Any]:
        yield content()["images"][:30]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(store, **{**content(), "images": interrupted()})
    assert list(store.parent.iterdir()) == [store]
    assert store.read_bytes() == before


def test_a_mapped_dataset_outlives_its_replacement(store: Path) -> None:
    old = open_store(store)
    write_store(store, **content(seed=1))
    np.testing.assert_array_equal(old.images, content()["images"])
    np.testing.assert_array_equal(open_store(store).images, content(seed=1)["images"])


def write_repeatedly(path: Path, seed: int) -> None:
    for _ in range(10):
        write_store(path, **content(seed=seed))


def test_two_writers_and_a_reader_never_see_half_a_store(store: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_repeatedly, args=(store, seed)) for seed in (0, 1)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        verify_store(store)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert list(store.parent.iterdir()) == [store]


def test_a_store_in_an_impossible_place_is_refused(tmp_path: Path, store: Path) -> None:
    for path in (store / "below.h5", tmp_path):
        with pytest.raises(UserError, match="cannot write"):
            write_store(path, **content())


def test_images_are_mapped_and_writing_to_them_stays_private(store: Path) -> None:
    first, second = open_store(store), open_store(store)
    assert isinstance(first.images, np.memmap)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = torch.from_numpy(first.images)
    tensor.zero_()
    np.testing.assert_array_equal(second.images, content()["images"])
    verify_store(store)


TOUCH_ALL = """
import sys
from pathlib import Path
from dcodr.data.store import open_store

def memory():
    fields = {}
    for file in ("status", "smaps_rollup"):
        for line in Path("/proc/self", file).read_text().splitlines():
            key, _, value = line.partition(":")
            if value.endswith("kB"):
                fields[key] = int(value.split()[0]) * 1024
    return fields["VmHWM"], fields["Pss"], fields["Anonymous"]

def step(value):
    print(value, flush=True)
    sys.stdin.readline()

before = memory()
step("started")
images = open_store(Path(sys.argv[1])).images
total = sum(int(chunk.max()) for chunk in images)
step("touched")
peak, shared, anonymous = (after - start for after, start in zip(memory(), before))
step(f"{peak} {shared} {anonymous}")
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_two_processes_that_read_all_images_hold_one_copy(tmp_path: Path) -> None:
    n_images, path = 3000, tmp_path / "large.h5"
    write_store(path, **content(n_images, size=64))
    n_bytes = n_images * 64 * 64 * 3
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", TOUCH_ALL, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    ]
    for _ in range(2):
        lines = [reader.stdout.readline() for reader in readers]  # type: ignore[union-attr]
        for reader in readers:
            print(file=reader.stdin, flush=True)
        assert len(set(lines)) == 1
    metrics = [[int(figure) for figure in reader.stdout.readline().split()] for reader in readers]  # type: ignore[union-attr]
    for reader in readers:
        reader.communicate("\n")
    peaks, shared, anonymous = zip(*metrics, strict=True)
    assert max(peaks) <= 1.2 * n_bytes
    assert sum(shared) <= 1.2 * n_bytes
    assert max(anonymous) <= 0.1 * n_bytes


def test_images_that_cannot_fit_on_the_file_system_are_refused_before_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def chunks() -> Iterator[np.ndarray[Any, Any]]:
        for _ in range(5):
            asked.append(1)
            yield np.zeros((2, 8, 8, 3), np.uint8)

    def store() -> None:
        domain = np.arange(10) % 2
        split = stratified_split(domain, 0)
        write_store(tmp_path / "s.h5", DatasetSpec("n", "d", ()), chunks(), domain, {}, split, {})

    need = 10 * 8 * 8 * 3
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=need - 1))
    with pytest.raises(UserError, match=r"dataset n: its images take 0\.0 GB, but .* left: make room"):
        store()
    assert (len(asked), list(tmp_path.iterdir())) == (1, [])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=need))
    store()
