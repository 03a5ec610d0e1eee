"""MLflow's UI in a real browser: what a person opens, filters and compares."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.browser import NO_ASSISTANT, Browser, needs_chromium
from tests.faults.server import MlflowServer
from tests.tuning.report.searches import made, spread
from tests.tuning.store import Store
from tests.tuning.tracking.test_mirror import bring_all
from tuning.results.search import Search
from tuning.tracking import mirror
from tuning.tracking.tracker import Tracker
from tuning.tracking.view import view_page

pytestmark = [pytest.mark.long, needs_chromium]

NAMES = (
    "[...document.querySelectorAll('a')].map((a) => a.textContent).filter((text) => /^[0-9]{3} /.test(text))"
)
MINE = """tags.search = "it's mine" and tags.trial LIKE '%'"""
"""The store has searches of other tests."""
POINTS = "document.querySelectorAll('.scatterlayer .point').length"


class Opened(NamedTuple):
    """A search, a browser that looks at its trials, and the address of its parent run."""

    search: Search
    browser: Browser
    url: str


@pytest.fixture(scope="module")
def opened(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A search of nine complete trials, at the page that its end names."""
    folder = tmp_path_factory.mktemp("ui")
    search = made(folder / "it's mine", spread(9))
    tracker = Tracker(store.uri)
    parent = mirror.open_parent(search.folder, search.space, tracker, uuid4().hex)
    bring_all(search, tracker)
    mirror.close_parent(search, tracker)
    with MlflowServer(folder / "server", store.uri) as server, Browser(folder / "profile") as browser:
        experiment = store.client.get_run(parent).info.experiment_id
        assert tracker.page == view_page("http://127.0.0.1:5000", experiment, parent)
        browser.open("about:blank")
        browser.before_pages(NO_ASSISTANT)
        browser.open(view_page(server.uri, experiment, parent))
        yield Opened(search, browser, f"{server.uri}/#/experiments/{experiment}/runs/{parent}")


def numbers(browser: Browser, count: int) -> list[int]:
    """Return the trials in the list of runs from above, once there are so many."""
    browser.wait(f"{NAMES}.length == {count}")
    return [int(name[:3]) for name in browser.see(NAMES)]


def expect(search: Search, least: float = -1.0) -> list[int]:
    """Trials by invariance, the best first."""
    reached = {trial.number: trial.metrics["invariance"] for trial in search.trials()}
    return sorted((number for number in reached if reached[number] > least), key=lambda n: -reached[n])


def test_trials_are_found_and_compared(opened: Opened) -> None:
    search, browser, url = opened
    assert numbers(browser, 9) == expect(search)
    browser.wait(f"{POINTS} >= 9")
    for title in ("invariance vs. informativeness", "Parallel Coordinates"):
        browser.wait(f"document.body.innerText.includes('{title}')")

    filter_by(browser, f"{MINE} and metrics.invariance > 0.5")
    above = expect(search, 0.5)
    assert 0 < len(above) < 9
    assert numbers(browser, len(above)) == above

    filter_by(browser, f"{MINE} and tags.front = 'true'")
    front = [trial.number for trial in search.front()]
    assert numbers(browser, len(front)) == front

    browser.click("document.querySelector('[aria-label=\"Select all runs\"]')")
    browser.click("[...document.querySelectorAll('button')].find((b) => b.innerText == 'Compare')")
    browser.wait("document.querySelectorAll('.parcoords .y-axis').length > 2")
    text = browser.see("document.body.innerText")
    for trial in search.trials():
        assert (mirror.name_of(trial) in text) == (trial.number in front)

    browser.open(url)
    browser.wait("document.body.innerText.includes('best of the front')")
    assert "Better than the paper's settings?" in browser.see("document.body.innerText")


def filter_by(browser: Browser, query: str) -> None:
    """Write a filter in the place of another."""
    box = "document.querySelector('input[data-testid=search-box]')"
    browser.click(box)
    browser.see(f"{box}.select()")
    browser.write(query)
    browser.enter()  # closes what the UI proposes
    browser.enter()
