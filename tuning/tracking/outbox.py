"""Records for MLflow, written in the background and retried until MLflow has them."""

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
"""Maximum seconds between two attempts to reach an MLflow that does not answer."""


class Outbox:
    """Bring the runs of trials to the state of the ledger, one after the other, in a separate thread.

    The search never waits for MLflow. For each trial only the newest state waits to be written, at most once
    in ``gather`` seconds. So an outage of any length needs a bounded amount of memory, and its delayed
    metrics are written in one go.

    Args:
        tracker: The search's runs; only this class may use it until it is closed.
        search: The search.
        say: Tells the user that MLflow does not answer, or answers again.
        gather: Seconds between a first report and its writing; later reports of the same trial are written
            with it.
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
        self._uncertain: set[int] = set()  # look up what MLflow has of these trials
        self._trouble: str | None = None
        self._refused: str | None = None
        self._deadline: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="MLflow", daemon=True)
        self._thread.start()

    def put(self, record: TrialRecord, *, driven: bool = True) -> None:
        """Queue the current state of a trial; ``driven`` if this process trains it and it has not ended."""
        with self._changed:
            self._waiting[record.number] = record, driven
            self._changed.notify()

    def catch_up(self, records: Iterable[TrialRecord]) -> None:
        """Queue everything that an earlier process has not written about trials that no process trains."""
        runs = {run.number: run for run in self._tracker.trial_runs()}
        for record in records:
            run = runs.get(record.number)
            self._uncertain.add(record.number)
            if run is None or not mirror.is_ended(self._search, record, run):
                self.put(record, driven=False)

    def close(self, patience: float) -> str | None:
        """Write whatever is waiting, then end the thread.

        Args:
            patience: Seconds to keep trying while MLflow does not answer. As long as it answers, there is no
                limit.

        Returns:
            The reason why something could not be written; ``None`` if everything was.
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
                self._uncertain.add(number)
                self._refused = f"trial {number:03d}: {error}"
                self._say(f"MLflow refused the metrics of {self._refused}")
            except Exception as error:  # every driver and server has its own
                self._uncertain.add(number)
                if self._give_up(number, record, driven, error, pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = 1.0
                if self._trouble is not None:
                    self._trouble = None
                    self._say("MLflow answers again; the delayed metrics are being written")

    def _next(self) -> tuple[TrialRecord, bool] | None:
        """Wait for the next trial to write, a while after a round's first; return ``None`` at the end."""
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
        else:  # it is looked up again in the rare case that it changes once more
            self._uncertain.add(number)

    def _give_up(
        self, number: int, record: TrialRecord, driven: bool, error: Exception, pause: float
    ) -> bool:
        """Put back a trial that could not be written, and wait; return whether time is up."""
        why = reason(self._tracker.uri, error)
        with self._changed:
            newer = self._waiting.pop(number, (record, driven))
            self._waiting[number] = newer
            first, self._trouble = self._trouble is None, why
        if first:
            self._say(
                f"cannot write to MLflow: {why}. The search continues; the missing metrics are written later"
            )
        with self._changed:
            self._changed.wait_for(lambda: self._deadline is not None, pause)
            if self._deadline is None:
                return False
            self._changed.wait(min(pause, 1.0))
            return monotonic() > self._deadline
