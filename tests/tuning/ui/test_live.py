"""The live page in a real browser: it follows a search, and what the reader has done stays."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser import WATCH, Browser, needs_chromium
from tests.tuning.report.searches import TWO, made, spread
from tests.tuning.report.test_browser import FRONT
from tests.tuning.ui.test_server import Serving
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.results.search import Search
from tuning.ui import feed

pytestmark = needs_chromium

ROWS = "document.querySelectorAll('#trials tbody tr').length"
STATE = "document.querySelector('[data-state]').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("live")) as browser:
        browser.show(1280, 900, "light")
        browser.before_pages(WATCH)
        yield browser


def end_one(search: Search, reached: float) -> int:
    """Have a trial begin and end at full budget."""
    begun = Queue(search.ledger).begin()
    assert begun is not None
    search.ledger.note_epoch(begun.number, 2, training={}, metrics=dict.fromkeys(TWO, reached))
    search.ledger.end(begun.number, full_budget=True)
    return begun.number


def test_a_running_search_is_followed_to_its_end(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LEAST", 0.05)
    monkeypatch.setattr(feed, "SHARE", 1.0)
    search = made(tmp_path / "runs" / "s", spread(3))
    with ExitStack() as server:
        served = server.enter_context(Serving(search))
        with driving(search.folder):
            Queue(search.ledger).begin()
            browser.open(f"http://127.0.0.1:{served.port}/")
            browser.wait("typeof page !== 'undefined' && !!document.querySelector('.js-plotly-plot')")
            browser.see("Object.keys(POLL).forEach((kind) => (POLL[kind] = 100))")
            browser.wait(f"{STATE}.includes('1 trial running')")
            browser.wait("document.querySelector('[data-since]').textContent.includes(', for ')")

            # News leave the reader's choices as they are.
            browser.see("select(1); sortBy(2); sortBy(2)")
            browser.see("document.querySelector('#trials [data-trial=\"2\"]').focus({ preventScroll: true })")
            number = end_one(search, 0.99)
            browser.wait(f"{ROWS} === 5")
            star = f"{FRONT}.data.find((trace) => trace.name === 'best trade-off')"
            browser.wait(f"{star}.customdata[0] === {number}")
            assert browser.see("document.querySelector('#trials tbody tr').dataset.row") == str(number)
            assert browser.see("document.querySelector('#trials [aria-current]').dataset.row") == "1"
            assert browser.see("document.activeElement.dataset.trial") == "2"
            assert not browser.see("document.getElementById('panel').hidden")
            browser.wait("document.querySelector('#panel .outcome').textContent.length > 0")
        browser.wait(f"{STATE}.includes('Interrupted')")
        search.ledger.remember("ended", "all 40 trials are done")
        browser.wait(f"{STATE}.includes('all 40 trials are done')")
        assert browser.see("contact.textContent") == "Live"
    browser.wait("contact.textContent.includes('No contact')")
    assert "python -m tuning ui s" in browser.see("contact.textContent")
    assert browser.see("errors") == []
