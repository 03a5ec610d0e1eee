"""A server of one search's page: the page, its data, its trials' details and pictures, nothing else."""

import errno
import gzip
import ipaddress
import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from dcodr.errors import UserError
from tuning.report.details import PICTURES, details, picture_file, served
from tuning.results.csv_tables import trials_csv
from tuning.ui.feed import Feed

TRIAL = re.compile(r"/trials/(\d{3,9})\.json")
PICTURE = re.compile(rf"/trials/(\d{{3,9}})/({'|'.join(PICTURES)})\.png")


class Handler(BaseHTTPRequestHandler):
    """Answers one request.

    Args:
        feed: The content of the page.
        hosts: Names by which the server may be called, beside IP addresses.
    """

    server_version, sys_version = "dcodr-tuning", ""
    timeout = 30
    SAFE: ClassVar = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    def __init__(self, *request: object, feed: Feed, hosts: frozenset[str]) -> None:
        self._feed, self._hosts = feed, hosts
        super().__init__(*request)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the page or a part of it."""
        if not known(self.headers.get("Host", ""), self._hosts):
            # A page of another site could otherwise read this one under a name that it makes point here.
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "This is not the server of that name.")
            return
        news, path = self._feed.news, self.path.partition("?")[0]
        if path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", news.page)
        elif path == "/data.json":
            unchanged = self.headers.get("If-None-Match", "").strip('"') == news.version
            status, body = (HTTPStatus.NOT_MODIFIED, b"") if unchanged else (HTTPStatus.OK, news.body)
            self._send(status, "application/json", body, {"ETag": f'"{news.version}"'})
        elif path == "/trials.csv":
            self._send(HTTPStatus.OK, "text/csv; charset=utf-8", trials_csv(news.results).encode())
        elif match := TRIAL.fullmatch(path):
            self._send_details(int(match[1]))
        elif match := PICTURE.fullmatch(path):
            self._send_picture(int(match[1]), match[2])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _send_details(self, number: int) -> None:
        results = self._feed.news.results
        trial = next((trial for trial in results.trials if trial.number == number), None)
        if trial is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such trial.")
            return
        body = json.dumps({"html": details(results, trial, served)}).encode()
        self._send(HTTPStatus.OK, "application/json", body)

    def _send_picture(self, number: int, kind: str) -> None:
        results = self._feed.news.results
        file, folder = picture_file(results, number, kind).resolve(), results.folder.resolve()
        try:
            # A link in a folder from elsewhere must not lead out of it.
            picture = file.read_bytes() if file.is_relative_to(folder) else None
        except OSError:
            picture = None
        if picture is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such picture.")
        else:
            self._send(HTTPStatus.OK, "image/png", picture)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        headers = {**self.SAFE, **(more or {})}
        small = len(body) < 1000 or kind.startswith("image/")
        if not small and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 3), "gzip"
        self.send_response(status)
        if status != HTTPStatus.NOT_MODIFIED:
            headers |= {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{why}\n".encode())

    def log_message(self, *args: object) -> None:
        """Print nothing: the page asks every few seconds."""


class Server(ThreadingHTTPServer):
    """A server that lets browsers go without a word."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print a failed request, except if the browser has only left."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def known(host: str, names: frozenset[str]) -> bool:
    """Return whether a ``Host`` header is an IP address or one of the names of this server.

    A page of another site can only make a *name* point to this machine (DNS rebinding).
    """
    name = re.sub(r":\d*$", "", host).lower()
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name in names
    return True


@contextmanager
def serving(name: str, storage: Path, host: str, port: int) -> Iterator[tuple[Server, str]]:
    """Open the server of a search's page; yield it, yet to be run, and its address.

    Args:
        name: The search's name.
        storage: The folder that holds all searches.
        host: Address to listen at.
        port: Port to listen at; 0 for any that is free.

    Raises:
        UserError: If there is no such search, or the port or the host cannot be used.
    """
    names = {"localhost", host.lower()}
    if not _loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    feed = Feed(name, storage)
    try:
        with _listening(host, port, partial(Handler, feed=feed, hosts=frozenset(names))) as server:
            shown = f"[{host}]" if ":" in host else host
            yield server, f"http://{shown}:{server.server_address[1]}/"
    finally:
        feed.close()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int, handler: "partial[Handler]") -> Server:
    try:
        return (_Server6 if ":" in host else Server)((host, port), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"--port {port} is taken on {host}, maybe by another page: give another, or 0 for any"
            ) from None
        if error.errno == errno.EACCES:
            raise UserError(f"--port {port} needs more rights than you have: give one above 1023") from None
        raise UserError(f"--host {host}: cannot listen there: {error.strerror or error}") from None
    except OverflowError:
        raise UserError(f"--port {port} is not a port: give a number from 0 to 65535") from None


class _Server6(Server):
    address_family = socket.AF_INET6
