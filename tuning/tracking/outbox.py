"""Records on their way to MLflow: written in the background, retried until MLflow has them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import monotonic

from tuning.ledger.trials import TrialRecord
from tuning.results.search import Search
from tuning.tracking import mirror
from tuning.tracking.store import reason
from tuning.tracking.tracker import Tracker, TrialRun

LONGEST_PAUSE = 60.0
"""Most seconds between two attempts to reach an MLflow that does not answer."""


class Outbox:
    """Brings the runs of trials to what the ledger knows, one after the other, in a thread of its own.

    The search never waits for MLflow. Of a trial only the newest state is waiting to be written, at most once
    in ``gather`` seconds, so that an outage of any length costs a bounded memory, and what it held up is
    written at once.

    Args:
        tracker: The search's runs, used by this class alone until it is closed.
        search: The search.
        say: Tells the user that MLflow does not answer, or does again.
        gather: Seconds from a first report until MLflow is written; a trial's reports in them go together.
    """

    def __init__(
        self, tracker: Tracker, search: Search, say: Callable[[str], None], gather: float = 1.0
    ) -> None:
        self._tracker = tracker
        self._search = search
        self._say = say
        self._gather = gather
        self._waiting: dict[int, tuple[TrialRecord, bool]] = {}
        self._round: deque[int] = deque()
        self._runs: dict[int, TrialRun] = {}
        self._uncertain: set[int] = set()  # what MLflow has of these trials is to be looked up
        self._trouble: str | None = None
        self._refused: str | None = None
        self._deadline: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="MLflow", daemon=True)
        self._thread.start()

    def put(self, record: TrialRecord, *, driven: bool = True) -> None:
        """Have a trial written as it is now.

        Args:
            record: The trial.
            driven: Whether this process is at work on it, if it has not ended.
        """
        with self._changed:
            self._waiting[record.number] = record, driven
            self._changed.notify()

    def catch_up(self, records: Iterable[TrialRecord]) -> None:
        """Have everything written that an earlier process has not.

        Args:
            records: All trials of the search; nobody is at work on any of them.
        """
        runs = {run.number: run for run in self._tracker.trial_runs()}
        for record in records:
            run = runs.get(record.number)
            self._uncertain.add(record.number)
            if run is None or not mirror.is_ended(self._search, record, run):
                self.put(record, driven=False)

    def close(self, patience: float) -> str | None:
        """Write what is waiting and end.

        Args:
            patience: Seconds to try for if MLflow does not answer; one that does gets all the time it needs.

        Returns:
            Why something could not be written, if so.
        """
        with self._changed:
            self._deadline = monotonic() + patience
            self._changed.notify()
        self._thread.join()
        return self._trouble if self._waiting else self._refused

    def _work(self) -> None:
        pause = 1.0
        while (found := self._next()) is not None:
            record, driven = found
            number = record.number
            try:
                self._write(record, driven)
            except ValueError as error:
                self._refused = f"trial {number:03d}: {error}"
                self._say(f"MLflow takes no figures of {self._refused}")
            except Exception as error:  # every driver and server has its own
                self._uncertain.add(number)
                if self._give_up(number, record, driven, error, pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = 1.0
                if self._trouble is not None:
                    self._trouble = None
                    self._say("MLflow can be written again; what was held up follows")

    def _next(self) -> tuple[TrialRecord, bool] | None:
        """The next trial to write, a while after the first of a round was put; ``None`` at the end."""
        with self._changed:
            if not self._round:
                self._changed.wait_for(lambda: self._waiting or self._deadline is not None)
                self._changed.wait_for(lambda: self._deadline is not None, self._gather)
                self._round.extend(self._waiting)
            return self._waiting.pop(self._round.popleft()) if self._round else None

    def _write(self, record: TrialRecord, driven: bool) -> None:
        number = record.number
        if number in self._uncertain:
            found = self._tracker.trial_runs(number)
            self._runs.pop(number, None)
            if found:
                epochs = self._tracker.epochs(found[0].run_id)
                self._runs[number] = replace(found[0], epochs=epochs)
        run = mirror.bring(self._tracker, self._search, record, self._runs.pop(number, None), driven=driven)
        if run is not None and record.status == "running":
            self._uncertain.discard(number)
            self._runs[number] = run
        else:  # it may be written once more: looked up then, it need not be kept
            self._uncertain.add(number)

    def _give_up(
        self, number: int, record: TrialRecord, driven: bool, error: Exception, pause: float
    ) -> bool:
        """Put a trial back that could not be written, and wait; or tell that there is no time left to."""
        why = reason(self._tracker.uri, error)
        with self._changed:
            newer = self._waiting.pop(number, (record, driven))
            self._waiting[number] = newer
            first, self._trouble = self._trouble is None, why
        if first:
            self._say(f"MLflow cannot be written: {why}. The search goes on; what MLflow lacks follows")
        with self._changed:
            self._changed.wait_for(lambda: self._deadline is not None, pause)
            if self._deadline is None:
                return False
            self._changed.wait(min(pause, 1.0))
            return monotonic() > self._deadline
