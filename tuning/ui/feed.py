"""The latest content of a search's page, read from a ledger that a running search adds to."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dcodr.errors import UserError
from tuning.ledger.lock import driven
from tuning.ledger.storage import LEDGER
from tuning.report.content import Analysed, analysed
from tuning.report.page import blocks, drawn, problem_block, render_live
from tuning.results.results import Results
from tuning.results.search import Search

LEAST = 2.0
"""Least number of seconds between two readings of the ledger, and between two analyses."""
SHARE = 0.1
"""Largest share of the time for readings, and for analyses, because the search needs the machine."""
WAITING = Analysed((), "The analysis of this search is being computed.")


@dataclass(frozen=True)
class News:
    """The content of the page at one moment.

    Attributes:
        results: The results that it shows.
        analysis: The analyses that it shows, maybe of fewer trials.
        data: Everything that the page's script draws, as JSON values.
        body: The same with the parts of the page in HTML, as JSON.
        version: Changes if and only if the content does.
        problem: The reason why the search could not be read again, if so.
    """

    results: Results
    analysis: Analysed
    data: dict[str, Any]
    body: bytes
    version: str
    problem: str | None

    @cached_property
    def page(self) -> bytes:
        """The whole page."""
        data = {**self.data, "version": self.version}
        return render_live(self.results, self.analysis, data, self.problem).encode()


class Feed:
    """Reads a search again whenever its files change; analyses it whenever more trials are complete.

    Two threads do this, so that no request waits for either.

    Raises:
        UserError: If there is no such search, or it cannot be read.
    """

    def __init__(self, name: str, storage: Path) -> None:
        self._name, self._storage = name, storage
        self._analysis = WAITING
        self._over = threading.Event()
        self._changed = threading.Event()
        self._seen = self._state()
        self._news = _news(Search.open(name, storage).results(), WAITING)
        self._threads = [
            threading.Thread(target=work, name=f"feed-{work.__name__}", daemon=True)
            for work in (self._read, self._analyse)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def news(self) -> News:
        """The latest content."""
        return self._news

    def close(self) -> None:
        """Stop reading; a reading or an analysis that has begun ends by itself."""
        self._over.set()

    def _state(self) -> tuple[object, ...]:
        """Return what differs once there is anything new to read."""
        folder = self._storage / self._name
        try:
            ledger = (folder / LEDGER).stat()
        except OSError:
            return (None,)
        return ledger.st_ino, ledger.st_size, ledger.st_mtime_ns, driven(folder), id(self._analysis)

    def _read(self) -> None:
        """Read the search again when it has changed, as often as ``LEAST`` and ``SHARE`` allow."""
        pause = LEAST
        while not self._over.wait(pause):
            state = self._state()
            if state == self._seen:
                continue
            began = time.monotonic()
            try:
                self._news = _news(Search.open(self._name, self._storage).results(), self._analysis)
                self._seen = state
            # Files may change while they are read: the page keeps its content, and reading is tried again.
            except Exception as error:
                why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
                self._news = _with_problem(self._news, f"The search cannot be read any more: {why}")
                self._seen = ()
            pause = max(LEAST, (time.monotonic() - began) / SHARE)

    def _analyse(self) -> None:
        """Analyse the search when it has more complete trials."""
        complete, pause = -1, 0.0
        while not self._over.wait(pause):
            pause, results = LEAST, self._news.results
            if len(results.complete) == complete:
                continue
            began, complete = time.monotonic(), len(results.complete)
            try:
                self._analysis = analysed(results)
            except Exception as error:  # of numerical libraries; the rest of the page stands
                self._analysis = Analysed((), f"The analysis failed: {type(error).__name__}: {error}.")
            pause = max(LEAST, (time.monotonic() - began) / SHARE)


def _with_problem(news: News, problem: str) -> News:
    """Return news that tell a problem as well; nothing else is rendered, as that may be the problem."""
    content = json.loads(news.body)
    content["blocks"]["problem"] = problem_block(problem)
    return _told(news.results, news.analysis, news.data, content, problem)


def _news(results: Results, analysis: Analysed) -> News:
    data = drawn(results, analysis)
    return _told(results, analysis, data, {**data, "blocks": blocks(results, analysis)}, None)


def _told(
    results: Results,
    analysis: Analysed,
    data: dict[str, Any],
    content: dict[str, Any],
    problem: str | None,
) -> News:
    content.pop("version", None)
    version = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    body = json.dumps({**content, "version": version}, allow_nan=False, separators=(",", ":")).encode()
    return News(results, analysis, data, body, version, problem)
