"""Take the pictures of docs/mlflow.md, docs/report.md and docs/your-data.md in a real browser.

python -m docs.screenshots augs runs mlflow          # rewrites docs/mlflow-*.png
python -m docs.screenshots every_setting runs page   # rewrites docs/report*.png, docs/live*.png
python -m docs.screenshots map.html                  # rewrites docs/map.png
"""

import shutil
import sys
import tempfile
from pathlib import Path
from threading import Thread
from time import sleep

from tests.browser import NO_ASSISTANT, Browser
from tests.faults.server import MlflowServer
from tuning.ledger.lock import driving
from tuning.ledger.storage import LEDGER
from tuning.report.page import write_page
from tuning.results.search import Search
from tuning.tracking.store import default_uri
from tuning.tracking.tracker import Tracker
from tuning.ui.server import serving

HERE = Path(__file__).parent
TRAINING = "workflowType=machine_learning"
POINTS = "document.querySelectorAll('.scatterlayer .point').length > 8"
MAP = "!!document.querySelector('#map .main-svg') && document.getElementById('sheet').complete"
GAIN = "document.body?.innerText.includes('best of the front')"
ROWS = "document.querySelectorAll('[role=row]').length > 8"
IMAGE = "[...document.querySelectorAll('img')].some((image) => image.naturalWidth > 300)"
TO_TRIALS = "document.getElementById('trials-section').scrollIntoView({ behavior: 'instant' })"
SETTLED = 4.0
"""Seconds until the page no longer moves."""


def main(name: str, storage: str = "runs", which: str = "all") -> None:
    """Take those of a search, only those of its ``page`` or of ``mlflow``, or that of a map's page."""
    if name.endswith(".html"):
        _take_map(Path(name))
        return
    search = Search.open(name, storage)
    with tempfile.TemporaryDirectory() as folder:
        if which in ("all", "page"):
            _take_page(search, Path(folder))
        if which in ("all", "mlflow"):
            _take_mlflow(search, Path(folder))


def _take_page(search: Search, folder: Path) -> None:
    """Take the exported page, and the live page in the middle of the search."""
    page = folder / "report.html"
    write_page(search.results(), page)
    with Browser(folder / "page", 1280, 1000) as browser:
        browser.show(1280, 1750, "light")
        _take(browser, page.as_uri(), POINTS, "report")
        browser.show(390, 1500, "dark")
        _take(browser, page.as_uri(), POINTS, "report-phone")
        middle = _in_the_middle(search, folder)
        with driving(middle), serving(search.name, folder, "127.0.0.1", 0) as (server, address):
            Thread(target=server.serve_forever, daemon=True).start()
            for picture, size, script in (
                ("live", (1440, 1000, "light"), "select(listed()[0])"),
                ("live-trials", (1440, 1100, "dark"), f"select(listed()[1]); {TO_TRIALS}"),
                ("live-phone", (390, 844, "light"), "select(listed()[0])"),
            ):
                browser.show(*size)
                _take(browser, address, POINTS, picture, script)
            server.shutdown()


def _take_map(page: Path) -> None:
    """Take a map with the image of a point."""
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder), 1000, 700) as browser:
        browser.show(1000, 700, "light")
        _take(browser, page.resolve().as_uri(), MAP, "map", "go(content.names.length >> 1)")


def _in_the_middle(search: Search, folder: Path) -> Path:
    """Copy a search as it was after half of its ledger's entries."""
    copied = folder / search.name
    shutil.copytree(search.folder, copied, ignore=shutil.ignore_patterns("*.pt", "ray", "*.lock"))
    entries = (copied / LEDGER).read_bytes().splitlines(keepends=True)
    (copied / LEDGER).write_bytes(b"".join(entries[: len(entries) // 2]))
    return copied


def _take_mlflow(search: Search, folder: Path) -> None:
    tracker = Tracker(default_uri(search.folder.parent))
    with (
        MlflowServer(folder / "server", tracker.uri) as server,
        Browser(folder / "mlflow", 1440, 1000) as browser,
    ):
        browser.before_pages(NO_ASSISTANT)
        for picture, (address, ready) in _pages(search, tracker).items():
            _take(browser, f"{server.uri}/#/{address}", ready, f"mlflow-{picture}")


def _pages(search: Search, tracker: Tracker) -> dict[str, tuple[str, str]]:
    """Return for each picture the page of MLflow's UI, and a script that tells whether it has loaded."""
    run_id = str(search.ledger.facts()["run_id"])
    tracker.open_search(run_id)
    knee = tracker.trial_runs(search.best_tradeoff().number)[0].run_id
    charts = tracker.page.partition("/#/")[2]
    runs = charts.partition("?")[0]
    return {
        "charts": (charts, POINTS),
        "table": (charts.replace("CHART", "TABLE"), ROWS),
        "trial": (f"{runs}/{knee}/artifacts/retrieval.png?{TRAINING}", IMAGE),
        "search": (f"{runs}/{run_id}?{TRAINING}", GAIN),
    }


def _take(browser: Browser, address: str, ready: str, name: str, script: str = "0") -> None:
    """Save the picture of a page after it has loaded and a script has run."""
    browser.open("about:blank")
    browser.open(address)
    browser.wait(ready)
    browser.see(script)
    sleep(SETTLED)
    browser.picture(HERE / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
