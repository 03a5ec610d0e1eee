"""Tests of ``dcodr.data.sources.download`` against a small server on this machine."""

import errno
import hashlib
import io
import re
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from dcodr.data.cli import app
from dcodr.data.datasets import PUBLISHED, Published, Remote
from dcodr.data.sources.download import download
from dcodr.errors import StorageError, UserError

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves ``files``; ends a connection after ``limit`` bytes; notes the ranges that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/a.bin": CONTENT}
        self.etag = '"one"'
        self.limit: int | None = None
        self.ranges: list[str | None] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        start = 0
        if asked and self.headers["If-Range"] == self.server.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        stop = None if self.server.limit is None else start + self.server.limit
        self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def quiet(*_: object) -> None:
    """Progress that nobody watches."""


def checksum(content: bytes, kind: str = "sha256") -> str:
    return f"{kind}:{hashlib.new(kind, content).hexdigest()}"


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_file_is_fetched_and_verified(server: Server, tmp_path: Path, kind: str) -> None:
    calls: list[tuple[str, int, int | None]] = []
    remote = Remote(server.url("a.bin"), checksum(CONTENT, kind))
    verdicts = download((remote,), tmp_path / "new", lambda *call: calls.append(call))
    assert verdicts == [f"a.bin: matches {remote.checksum}"]
    assert (tmp_path / "new" / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.bin"]
    assert calls[0] == ("a.bin", 0, len(CONTENT))
    assert calls[-1] == ("a.bin", len(CONTENT), len(CONTENT))


def test_what_is_there_is_verified_and_not_fetched_again(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url("a.bin"), checksum(CONTENT))
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert "was there; matches" in download((remote,), tmp_path, quiet)[0]
    assert not server.ranges
    (tmp_path / "a.bin").write_bytes(CONTENT[1:])
    with pytest.raises(UserError, match=r"a\.bin has sha256:.*, not sha256:.*remove it"):
        download((remote,), tmp_path, quiet)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[1:]


def test_a_cut_off_file_is_continued(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url("a.bin"), checksum(CONTENT))
    server.limit = 300_000
    for done in ("300,000", "600,000", "900,000"):
        with pytest.raises(UserError, match=f"ended after {done} of 1,024,000 bytes: run the command again"):
            download((remote,), tmp_path, quiet)
        assert not (tmp_path / "a.bin").exists()
    download((remote,), tmp_path, quiet)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url("a.bin"))
    server.limit = 300_000
    with pytest.raises(UserError, match="ended after"):
        download((remote,), tmp_path, quiet)
    server.limit, server.etag = None, '"two"'
    server.files["/a.bin"] = CONTENT[::-1]
    download((remote,), tmp_path, quiet)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]


def test_a_complete_part_is_no_dead_end(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    (tmp_path / "a.bin.part.tag").write_text(server.etag)
    download((Remote(server.url("a.bin"), checksum(CONTENT)),), tmp_path, quiet)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_without_a_checksum_it_says_what_was_verified(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url("a.bin"))
    assert "no checksum is known: only its length" in download((remote,), tmp_path, quiet)[0]
    assert "no checksum is known: not verified" in download((remote,), tmp_path, quiet)[0]


def test_another_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has md5:.*, not md5:0000.*run the command again"):
        download((Remote(server.url("a.bin"), f"md5:{'0' * 32}"),), tmp_path, quiet)
    assert not list(tmp_path.iterdir())


def test_a_server_that_has_no_such_file_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.bin: the server answered 404"):
        download((Remote(server.url("none.bin")),), tmp_path, quiet)


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(
        UserError, match=r"cannot be reached \(.*\): .*put it at .*a\.bin, where it is verified"
    ):
        download((Remote("http://127.0.0.1:9/a.bin"),), tmp_path, quiet)


def archive(folder: Path, name: str) -> bytes:
    (folder / "source" / "data" / "cars").mkdir(parents=True)
    (folder / "source" / "data" / "cars" / "car.mat").write_text("a car")
    kind = "gztar" if name.endswith(".tar.gz") else "zip"
    return Path(shutil.make_archive(str(folder / "made"), kind, folder / "source")).read_bytes()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_archives_are_unpacked(server: Server, tmp_path: Path, name: str) -> None:
    server.files[f"/{name}"] = archive(tmp_path, name)
    download((Remote(server.url(name)),), tmp_path / "out", quiet)
    assert (tmp_path / "out" / "data" / "cars" / "car.mat").read_text() == "a car"


def test_a_damaged_archive_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["/a.tar.gz"] = archive(tmp_path, "a.tar.gz")[:-50]
    with pytest.raises(UserError, match=r"a\.tar\.gz cannot be unpacked"):
        download((Remote(server.url("a.tar.gz")),), tmp_path / "out", quiet)


def test_a_full_disk_is_not_the_archives_fault(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    server.files["/a.tar.gz"] = archive(tmp_path, "a.tar.gz")
    monkeypatch.setattr(shutil, "unpack_archive", full)
    with pytest.raises(StorageError, match=r"No space left on device: make room and run"):
        download((Remote(server.url("a.tar.gz")),), tmp_path / "out", quiet)


def test_an_archive_writes_nothing_outside_of_its_folder(server: Server, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil.txt"))
    server.files["/a.tar.gz"] = buffer.getvalue()
    with pytest.raises(UserError, match="cannot be unpacked"):
        download((Remote(server.url("a.tar.gz")),), tmp_path / "out", quiet)
    assert not (tmp_path / "evil.txt").exists()


def test_known_checksums_have_the_length_of_their_kind() -> None:
    lengths = {"md5": 32, "sha256": 64}
    for remote in (remote for dataset in PUBLISHED.values() for remote in dataset.remotes):
        if remote.checksum:
            kind, digest = remote.checksum.split(":")
            assert re.fullmatch(r"[0-9a-f]+", digest)
            assert len(digest) == lengths[kind]


def test_the_command_says_how_to_go_on(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/a.tar.gz"] = archive(tmp_path, "a.tar.gz")
    cars3d = replace(PUBLISHED["cars3d"], remotes=(Remote(server.url("a.tar.gz")),))
    monkeypatch.setitem(cast(dict[str, Published], PUBLISHED), "cars3d", cars3d)
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["download", "cars3d", "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "a.tar.gz: no checksum is known" in result.output
    assert f"python -m dcodr data prepare cars3d --raw {out / 'data' / 'cars'}" in result.output
    assert (out / "data" / "cars" / "car.mat").is_file()


def test_celeba_is_to_be_fetched_by_hand(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"get img_align_celeba\.zip.*mmlab\.ie\.cuhk\.edu\.hk"):
        CliRunner().invoke(app, ["download", "celeba", "--out", str(tmp_path)], catch_exceptions=False)
