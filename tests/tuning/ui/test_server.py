"""The server of the live page: what it answers, what it refuses, and what it reads again."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dcodr.errors import UserError
from tests.tuning.report.searches import EVIL, PNG, TWO, hostile, made, spread
from tuning.analysis import attribution, regression
from tuning.cli import app
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.results.search import Search
from tuning.ui import feed
from tuning.ui.feed import Feed
from tuning.ui.server import known, serving


class Served:
    """A search whose page is served.

    Args:
        search: The search.
        port: The server's port.
    """

    def __init__(self, search: Search, port: int) -> None:
        self.search, self.port = search, port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers={"Host": "127.0.0.1", **headers})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def data(self) -> dict[str, Any]:
        """Return the data of the page."""
        return dict(json.loads(self.get("/data.json")[2]))

    def until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the data of the page, once it is as wanted."""
        end = time.monotonic() + 30
        while not reached(data := self.data()):
            assert time.monotonic() < end, data
            time.sleep(0.05)
        return data


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ledgers read at once."""
    monkeypatch.setattr(feed, "LEAST", 0.05)
    monkeypatch.setattr(feed, "SHARE", 1.0)
    monkeypatch.setattr(attribution, "DRAWS", 50)
    monkeypatch.setattr(regression, "WARM_UP", 10)


@pytest.fixture
def served(tmp_path: Path, quick: None) -> Iterator[Served]:
    search = made(tmp_path / "runs" / "s", spread(4))
    with Serving(search) as found:
        yield found


class Serving:
    """Serves the page of a search in a thread while a ``with`` block runs.

    Args:
        search: The search.
    """

    def __init__(self, search: Search) -> None:
        self.search = search

    def __enter__(self) -> Served:
        self.opened = serving(self.search.name, self.search.folder.parent, "127.0.0.1", 0)
        self.server, address = self.opened.__enter__()
        assert address == f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return Served(self.search, int(self.server.server_address[1]))

    def __exit__(self, *error: Any) -> None:
        self.server.shutdown()
        self.opened.__exit__(*error)


def picture(search: Search, number: int) -> Path:
    """Give a trial a picture of neighbours."""
    path = search.folder / "trials" / f"{number:03d}" / "retrieval.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(PNG)
    return path


def test_the_page_its_data_and_its_pictures_are_served(served: Served) -> None:
    picture(served.search, 2)
    status, headers, body = served.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"connect-src 'self'" in body
    assert served.get("/trials/002/retrieval.png")[2] == PNG
    assert "data-trial" in served.data()["blocks"]["trials"]
    details = json.loads(served.get("/trials/002.json")[2])["html"]
    assert 'src="trials/002/retrieval.png"' in details
    assert served.get("/trials.csv")[2].startswith(b"trial,paper,on_front,augmentations,temperature,")


@pytest.mark.parametrize(
    "path",
    [
        "/../space.yaml",
        "/space.yaml",
        "/ledger.log",
        "/trials/002/../../ledger.log",
        "/trials/002/%2e%2e/%2e%2e/ledger.log",
        "/trials/002/checkpoint.pt",
        "/trials/002/retrieval.png/../checkpoint.pt",
        "/trials/2/retrieval.png",
        "/trials/..%2f..%2fledger/retrieval.png",
        "/trials/-01/retrieval.png",
        "//etc/passwd",
        "/trials/003/retrieval.png",
        "/trials/999.json",
        "/index.html",
    ],
)
def test_nothing_else_is_served(served: Served, path: str) -> None:
    picture(served.search, 2).with_name("checkpoint.pt").write_bytes(b"secret")
    status, _, body = served.get(path)
    assert status == 404
    assert body.startswith(b"There is no")


def test_a_link_does_not_lead_out_of_the_search(served: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    file = picture(served.search, 2)
    file.unlink()
    file.symlink_to(secret)
    assert served.get("/trials/002/retrieval.png")[0] == 404


@pytest.mark.parametrize("path", ["/", "/data.json", "/trials/002/retrieval.png", "/trials.csv"])
def test_a_foreign_host_is_refused(served: Served, path: str) -> None:
    picture(served.search, 2)
    for host in ("evil.example", f"evil.example:{served.port}", "localhost.evil.example", ""):
        status, _, body = served.get(path, Host=host)
        assert (status, body) == (421, b"This is not the server of that name.\n")
    assert served.get(path, Host=f"localhost:{served.port}")[0] == 200


@pytest.mark.parametrize(
    ("host", "names", "accepted"),
    [
        ("127.0.0.1:8600", {"localhost"}, True),
        ("[::1]:8600", {"localhost"}, True),
        ("192.168.1.7", {"localhost"}, True),
        ("LOCALHOST:8600", {"localhost"}, True),
        ("node7", {"localhost", "node7"}, True),
        ("node7", {"localhost"}, False),
        ("127.0.0.1.evil.example", {"localhost"}, False),
        ("127.0.0.1@evil.example", {"localhost"}, False),
    ],
)
def test_hosts_are_addresses_or_names_of_this_server(host: str, names: set[str], accepted: bool) -> None:
    assert known(host, frozenset(names)) == accepted


def test_pages_of_other_sites_cannot_embed_or_change_anything(served: Served) -> None:
    for path in ("/", "/data.json", "/trials.csv"):
        headers = served.get(path)[1]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    for method in ("POST", "PUT", "DELETE"):
        assert served.get("/data.json", method)[0] == 501


def test_only_this_machine_reaches_the_page_unless_asked(served: Served) -> None:
    with pytest.raises(ConnectionRefusedError):  # a server that listens everywhere answers here, too
        socket.create_connection(("127.0.0.2", served.port), 5)


def test_unchanged_data_is_not_sent_again(served: Served) -> None:
    data = served.until(lambda data: "being computed" not in data["blocks"]["analysis"])
    status, headers, body = served.get("/data.json", **{"If-None-Match": data["version"]})
    assert (status, body) == (304, b"")
    assert headers["ETag"] == f'"{data["version"]}"'


def test_news_of_the_ledger_arrive(served: Served) -> None:
    version, ledger = served.data()["version"], served.search.ledger
    begun = Queue(ledger).begin()
    assert begun is not None
    ledger.note_epoch(begun.number, 2, training={}, metrics=dict.fromkeys(TWO, 0.99))
    ledger.end(begun.number, full_budget=True)

    def starred(data: dict[str, Any]) -> list[int]:
        return next(
            one["customdata"]
            for one in data["charts"]["front"]["data"]
            if one.get("name") == "best trade-off"
        )

    data = served.until(lambda data: starred(data) == [4])
    assert data["version"] != version
    assert "4" in data["curves"]


def test_the_state_of_the_search_is_told(served: Served) -> None:
    def state(kind: str) -> Callable[[dict[str, Any]], bool]:
        return lambda data: f'data-state="{kind}"' in data["blocks"]["state"]

    served.until(state("interrupted"))
    with driving(served.search.folder):
        begun = Queue(served.search.ledger).begin()
        assert begun is not None
        data = served.until(lambda data: "1 trial running" in data["blocks"]["state"])
        assert state("running")(data)
        assert f'data-trial="{begun.number}"' in data["blocks"]["state"]
    served.search.ledger.remember("ended", "all 40 trials are done")
    assert "all 40 trials are done" in served.until(state("ended"))["blocks"]["state"]


def test_the_analysis_comes_when_it_is_done(tmp_path: Path, quick: None) -> None:
    search = made(tmp_path / "runs" / "s", spread(8))
    news = Feed("s", tmp_path / "runs")
    try:
        first = json.loads(news.news.body)
        assert "being computed" in first["blocks"]["analysis"]
        assert "importance-0" not in first["charts"]
        end = time.monotonic() + 60
        while "importance-0" not in json.loads(news.news.body)["charts"]:
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        news.close()
    assert len(search.trials()) == 8


def test_a_search_that_is_gone_keeps_its_page_and_says_so(served: Served) -> None:
    (served.search.folder / "ledger.log").rename(served.search.folder / "moved.log")
    data = served.until(lambda data: "cannot be read any more" in data["blocks"]["problem"])
    assert [*data["curves"]] == ["0", "1", "2", "3"]


def test_an_error_of_rendering_is_told_and_reading_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, str]:
        raise RuntimeError("cannot render")

    with monkeypatch.context() as patch:
        patch.setattr(feed, "blocks", broken)
        served.search.ledger.remember("ended", "all 40 trials are done")
        told = served.until(lambda data: "RuntimeError: cannot render" in data["blocks"]["problem"])
    assert "all 40 trials are done" not in told["blocks"]["state"]
    data = served.until(lambda data: "all 40 trials are done" in data["blocks"]["state"])
    assert data["blocks"]["problem"] == ""


def test_names_of_a_search_stay_text(tmp_path: Path, quick: None) -> None:
    with Serving(hostile(tmp_path)) as served:
        blocks = served.data()["blocks"]
        assert EVIL not in "".join(blocks.values())
        assert "<script" not in "".join(blocks.values())
        assert "&lt;script&gt;hacked=1" in blocks["front"]
        failed = served.get("/trials/012.json")[2]
        assert EVIL not in json.loads(failed)["html"]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    made(tmp_path / "runs" / "s", spread(2))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["ui", "s", "--storage", str(tmp_path / "runs"), "--port", str(port), "--no-open"]
        done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"--port {port} is taken on 127.0.0.1")


def test_a_search_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no search named 'none'"), serving("none", tmp_path, "127.0.0.1", 0):
        pass
