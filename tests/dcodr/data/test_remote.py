"""Tests of ``dcodr.data.remote``."""

import multiprocessing
from pathlib import Path

import fsspec
import pytest

from dcodr.config import Config
from dcodr.data.remote import open_dataset
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.files import cached, is_uri


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCODR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/cars3d.h5", True),
        ("https://host/cars3d.h5", True),
        ("data/cars3d.h5", False),
        ("/data/cars3d.h5", False),
        ("s3:/bucket/cars3d.h5", False),
        ("simplecache::s3://bucket/cars3d.h5", False),
        ("s3://bucket/a.zip::file:///b", False),
        (None, False),
    ],
)
def test_what_is_a_uri(text: str | None, expected: bool) -> None:
    assert is_uri(text) is expected


def test_a_dataset_at_a_uri_is_fetched_once(cache: Path, tiny_store: Path) -> None:
    uri = "memory://bucket/tiny.h5"
    with fsspec.open(uri, "wb") as file:
        file.write(tiny_store.read_bytes())
    config = Config(data=uri)
    assert not cache.exists()
    assert open_dataset(config).fingerprint == open_store(tiny_store).fingerprint
    fsspec.filesystem("memory").rm("/bucket/tiny.h5")
    assert open_dataset(config).fingerprint == open_store(tiny_store).fingerprint
    assert cached(uri) == config.store
    assert sorted(file.name for file in config.store.parent.iterdir()) == ["tiny.h5", "tiny.lock"]


def test_a_path_is_opened_where_it_is(cache: Path, tiny_store: Path) -> None:
    assert open_dataset(Config(data=str(tiny_store))).fingerprint == open_store(tiny_store).fingerprint
    assert not cache.exists()


def test_stores_of_one_name_at_two_uris_are_two() -> None:
    assert cached("s3://a/cars3d.h5") != cached("s3://b/cars3d.h5")


def fetch(uri: str) -> str:
    return open_dataset(Config(data=uri)).fingerprint


def test_processes_that_ask_at_once_get_one_whole_file(cache: Path, tiny_store: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(fetch, [tiny_store.as_uri()] * 8)
    assert set(found) == {open_store(tiny_store).fingerprint}
    assert not [file for file in cache.rglob("*") if file.suffix == ".tmp"]


@pytest.mark.parametrize(
    "uri", ["memory://bucket/none.h5", "nosuchscheme://bucket/x.h5", "file:///none/there.h5"]
)
def test_what_cannot_be_fetched_is_named_and_leaves_nothing(uri: str, cache: Path) -> None:
    with pytest.raises(UserError, match=f"cannot fetch {uri}: "):
        open_dataset(Config(data=uri))
    assert [file.suffix for file in cache.rglob("*") if file.is_file()] == [".lock"]


def test_a_fetched_file_that_is_no_store_does_not_stay(cache: Path, tiny_store: Path) -> None:
    with fsspec.open("memory://bucket/text.h5", "wb") as file:
        file.write(b"hello")
    with pytest.raises(UserError, match=r"memory://bucket/text\.h5 is not a prepared dataset"):
        open_dataset(Config(data="memory://bucket/text.h5"))
    with fsspec.open("memory://bucket/text.h5", "wb") as file:  # the source was mended
        file.write(tiny_store.read_bytes())
    fetched = open_dataset(Config(data="memory://bucket/text.h5"))
    assert fetched.fingerprint == open_store(tiny_store).fingerprint


def test_a_signed_address_may_be_long() -> None:
    uri = f"https://host/cars3d.h5?signature={'0' * 300}"
    assert cached(uri).name == "cars3d.h5"
    assert cached(uri) != cached(uri + "1")


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DCODR_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write .*file/.*: Not a directory"):
        open_dataset(Config(data=tiny_store.as_uri()))
