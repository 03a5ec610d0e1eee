"""Download of the published files of datasets: fetch, resume, verify, unpack."""

import hashlib
import shutil
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dcodr.data.datasets import Remote
from dcodr.errors import StorageError, UserError
from dcodr.files import disk_failure

TIMEOUT = 30
"""Seconds without an answer after which a server counts as unreachable."""
BLOCK = 1 << 20

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes received, and the total, if the server announces it."""


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
        digest = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False))
    found = digest.hexdigest()
    if found != expected:
        raise UserError(f"{path} has {kind}:{found}, not {remote.checksum} as recorded: {remedy}")


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
        if told := disk_failure(error):
            raise StorageError(
                f"{path} cannot be unpacked: {told}: make room and run the command again"
            ) from error
        raise UserError(
            f"{path} cannot be unpacked ({error}): remove it and run the command again"
        ) from error
