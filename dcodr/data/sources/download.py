"""Download of the published files of datasets: fetch, resume, verify, unpack."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dcodr.errors import UserError

TIMEOUT = 30
"""Seconds without an answer after which a server counts as unreachable."""
BLOCK = 1 << 20

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes received, and the total, if the server announces it."""


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        url: The file's address.
        checksum: ``md5:...`` or ``sha256:...``, as recorded by several independent projects (the authors are
            not known to publish any), or ``None`` if none is known.
    """

    url: str
    checksum: str | None = None

    @property
    def name(self) -> str:
        """The file's name, the last part of the address."""
        return self.url.rsplit("/", 1)[1]


_NORB = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/smallnorb-5x"
_ZAPPOS = "https://vision.cs.utexas.edu/projects/finegrained/utzap50k/"

SOURCES: dict[str, tuple[Remote, ...]] = {
    "cars3d": (
        Remote(
            "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
            "md5:4e866a7919c1beedf53964e6f7a23686",
        ),
    ),
    "smallnorb": (
        Remote(f"{_NORB}46789x9x18x6x2x96x96-training-dat.mat.gz", "md5:66054832f9accfe74a0f4c36a75bc0a2"),
        Remote(f"{_NORB}46789x9x18x6x2x96x96-training-cat.mat.gz", "md5:23c8b86101fbf0904a000b43d3ed2fd9"),
        Remote(f"{_NORB}46789x9x18x6x2x96x96-training-info.mat.gz", "md5:51dee1210a742582ff607dfd94e332e3"),
        Remote(f"{_NORB}01235x9x18x6x2x96x96-testing-dat.mat.gz", "md5:e4ad715691ed5a3a5f138751a4ceb071"),
        Remote(f"{_NORB}01235x9x18x6x2x96x96-testing-cat.mat.gz", "md5:5aa791cd7e6016cf957ce9bdb93b8603"),
        Remote(f"{_NORB}01235x9x18x6x2x96x96-testing-info.mat.gz", "md5:a9454f3864d7fd4bb3ea7fc3eb84924e"),
    ),
    "shapes3d": (
        Remote(
            "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
            "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
        ),
    ),
    "edges2shoes": (
        Remote("http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/edges2shoes.tar.gz"),
        Remote(f"{_ZAPPOS}ut-zap50k-data.zip"),
        Remote(f"{_ZAPPOS}ut-zap50k-images-square.zip"),
    ),
}
RAW = {"cars3d": "data/cars"}
"""The subfolder of the download that ``prepare`` reads, for datasets that have one."""


def download(remotes: tuple[Remote, ...], folder: Path, on_progress: Progress) -> list[str]:
    """Download files and unpack archives.

    Existing files are verified and not downloaded again. Interrupted downloads are continued.

    Args:
        remotes: The files to download.
        folder: The destination; it is created.
        on_progress: Called as bytes arrive.

    Returns:
        For each file a text that describes its verification.

    Raises:
        UserError: If a server cannot be reached, or a file does not match its checksum or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        verdicts = [f"{remote.name}: {_fetch(remote, folder, on_progress)}" for remote in remotes]
        for remote in remotes:
            _unpack(folder / remote.name)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error}") from error
    return verdicts


def _fetch(remote: Remote, folder: Path, on_progress: Progress) -> str:
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.is_file():
        if not remote.checksum:
            return "was there; no checksum is known: not verified"
        _verify(path, remote, "remove it and run the command again")
        return f"was there; matches {remote.checksum}"
    _transfer(remote, path, part, on_progress)
    if not remote.checksum:
        part.replace(path)
        return "no checksum is known: only its length was verified, as announced by the server"
    try:
        _verify(part, remote, "it was removed; run the command again")
    except UserError:
        part.unlink()  # otherwise the next attempt would continue a wrong file
        raise
    part.replace(path)
    return f"matches {remote.checksum}"


def _verify(path: Path, remote: Remote, remedy: str) -> None:
    assert remote.checksum
    kind, expected = remote.checksum.split(":")
    with path.open("rb") as file:
        digest = hashlib.new(kind, usedforsecurity=False)
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise UserError(
            f"{path} has {kind}:{digest.hexdigest()}, not {remote.checksum} as recorded: {remedy}"
        )


def _transfer(remote: Remote, path: Path, part: Path, on_progress: Progress) -> None:
    """Download a file to ``part``; continue an earlier attempt if the server still has the same file."""
    tag = part.with_name(f"{part.name}.tag")
    start = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"Range": f"bytes={start}-", "If-Range": tag.read_text()} if start else {}
    try:
        response = urlopen(Request(remote.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        # The part is at least as long as the server's file. Start again without it.
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            part.unlink()
            return _transfer(remote, path, part, on_progress)
        raise UserError(f"{remote.url}: the server answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{remote.url} cannot be reached ({getattr(error, 'reason', error)}): run the command again with "
            f"a network, or fetch the file elsewhere and put it at {path}, where it is verified"
        ) from error
    with response:
        # The server answers with the whole file if it has changed or if ranges are not supported.
        start = start if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        _write_tag(tag, response.headers["ETag"], response.headers["Last-Modified"])
        length = response.headers["Content-Length"]
        total = start + int(length) if length else None
        with part.open("ab" if start else "wb") as file:
            whole = _copy(response, file, start, total, lambda done: on_progress(remote.name, done, total))
    if not whole:
        of = "" if total is None else f" of {total:,}"
        raise UserError(
            f"{remote.url}: the connection ended after {part.stat().st_size:,}{of} bytes: run the command "
            "again, it continues from there if the server allows it"
        )
    tag.unlink(missing_ok=True)
    return None


def _write_tag(tag: Path, etag: str | None, modified: str | None) -> None:
    """Store a validator of this version of the file; a weak ETag cannot serve as one."""
    validator = etag if etag and not etag.startswith("W/") else modified
    if validator:
        tag.write_text(validator)
    else:
        tag.unlink(missing_ok=True)


def _copy(
    source: IO[bytes], target: IO[bytes], done: int, total: int | None, report: Callable[[int], None]
) -> bool:
    """Copy until the source ends or breaks off; tell whether the copy is complete."""
    report(done)
    while True:
        try:
            block = source.read(BLOCK)
        except (OSError, HTTPException):
            return False
        if not block:
            return total is None or done == total
        target.write(block)
        done += len(block)
        report(done)


def _unpack(path: Path) -> None:
    try:
        if path.name.endswith(".tar.gz"):
            # The filter refuses members outside of the folder.
            shutil.unpack_archive(path, path.parent, filter="data")
        elif path.suffix == ".zip":
            shutil.unpack_archive(path, path.parent)
    # A damaged archive raises many kinds of exceptions.
    except Exception as error:
        raise UserError(
            f"{path} cannot be unpacked ({error}): remove it and run the command again"
        ) from error
