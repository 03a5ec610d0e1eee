"""The pictures of docs/mlflow.md, of a real search in MLflow's UI.

python -m docs.screenshots augs    # rewrites docs/mlflow-*.png
"""

import sys
import tempfile
from pathlib import Path
from time import sleep

from tests.browser import NO_ASSISTANT, Browser
from tests.faults.server import MlflowServer
from tuning.search import Search
from tuning.tracking import Tracker
from tuning.tracking_store import default_uri

HERE = Path(__file__).parent
TRAINING = "workflowType=machine_learning"
POINTS = "document.querySelectorAll('.scatterlayer .point').length > 8"
GAIN = "document.body?.innerText.includes('best of the front')"
ROWS = "document.querySelectorAll('[role=row]').length > 8"
IMAGE = "[...document.querySelectorAll('img')].some((image) => image.naturalWidth > 300)"
SETTLED = 4.0
"""Seconds in which what is seen comes to rest."""


def main(name: str, storage: Path = Path("runs")) -> None:
    """Take all of them."""
    search = Search.open(name, storage)
    tracker = Tracker(default_uri(storage))
    run_id = str(search.ledger.facts()["run_id"])
    tracker.open_search(run_id)
    runs = {run.number: run.run_id for run in tracker.trial_runs()}
    trial = f"experiments/1/runs/{runs[search.knee().number]}/artifacts/retrieval.png"
    charts = tracker.page.partition("/#/")[2]
    pages = {
        "charts": (charts, POINTS),
        "table": (charts.replace("CHART", "TABLE"), ROWS),
        "trial": (f"{trial}?{TRAINING}", IMAGE),
        "search": (f"experiments/1/runs/{run_id}?{TRAINING}", GAIN),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        MlflowServer(Path(folder), tracker.uri) as server,
        Browser(Path(folder) / "profile", 1440, 1000) as browser,
    ):
        browser.before_pages(NO_ASSISTANT)
        for picture, (page, ready) in pages.items():
            browser.open("about:blank")
            browser.open(f"{server.uri}/#/{page}")
            browser.wait(ready)
            sleep(SETTLED)
            browser.picture(HERE / f"mlflow-{picture}.png")


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:3]))
