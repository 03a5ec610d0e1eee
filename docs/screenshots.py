"""The pictures of docs/mlflow.md and docs/report.md, of a real search in a real browser.

python -m docs.screenshots augs    # rewrites docs/mlflow-*.png, docs/report.png, docs/report-phone.png
"""

import sys
import tempfile
from pathlib import Path
from time import sleep

from tests.browser import NO_ASSISTANT, Browser
from tests.faults.server import MlflowServer
from tuning.report.page import write_report
from tuning.results.search import Search
from tuning.tracking.store import default_uri
from tuning.tracking.tracker import Tracker

HERE = Path(__file__).parent
TRAINING = "workflowType=machine_learning"
POINTS = "document.querySelectorAll('.scatterlayer .point').length > 8"
GAIN = "document.body?.innerText.includes('best of the front')"
ROWS = "document.querySelectorAll('[role=row]').length > 8"
IMAGE = "[...document.querySelectorAll('img')].some((image) => image.naturalWidth > 300)"
SETTLED = 4.0
"""Seconds in which what is seen comes to rest."""


def main(name: str, storage: str = "runs") -> None:
    """Take all of them."""
    search = Search.open(name, storage)
    tracker = Tracker(default_uri(search.folder.parent))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(search.results(), page)
        with Browser(Path(folder) / "report", 1280, 1000) as browser:
            _show(browser, 1280, 2240, "light")
            _take(browser, page.as_uri(), POINTS, "report")
            _show(browser, 390, 2600, "dark")
            _take(browser, page.as_uri(), POINTS, "report-phone")
        with (
            MlflowServer(Path(folder) / "server", tracker.uri) as server,
            Browser(Path(folder) / "mlflow", 1440, 1000) as browser,
        ):
            browser.before_pages(NO_ASSISTANT)
            for picture, (address, ready) in _pages(search, tracker).items():
                _take(browser, f"{server.uri}/#/{address}", ready, f"mlflow-{picture}")


def _pages(search: Search, tracker: Tracker) -> dict[str, tuple[str, str]]:
    """For each picture the page of MLflow's UI, and the sign that it has loaded."""
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


def _show(browser: Browser, width: int, height: int, scheme: str) -> None:
    """Have pages laid out for a screen, in light or dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1}
    browser.call("Emulation.setDeviceMetricsOverride", mobile=False, **size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", features=features)


def _take(browser: Browser, address: str, ready: str, name: str) -> None:
    """Save the picture of a page, once it is there."""
    browser.open("about:blank")
    browser.open(address)
    browser.wait(ready)
    sleep(SETTLED)
    browser.picture(HERE / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
