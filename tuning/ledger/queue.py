"""The trials that begin next: confirmations, interrupted ones, new ones while there is a budget."""

from tuning.ledger.budget import Budget
from tuning.ledger.ledger import Ledger
from tuning.ledger.trials import Begun

NEW_DRAWS = 100
"""Number of draws in a row without a new allowed config, after which a space counts as exhausted."""


class Queue:
    """Decides which trial begins next, and whether the search is over.

    It learns from the ledger which trials have ended. If trials are to begin, call ``Ledger.ready`` before.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._confirmations: list[tuple[int, int]] = []
        self._exhausted = False
        self._seen = 0
        space, directions = ledger.space, list(ledger.space.objectives.values())
        self._budget = Budget(space.search, space.base.epochs, directions, space.reference)
        running = [record for record in ledger.running() if record.counts]
        self._interrupted = [record.number for record in running if not ledger.opened(record.number)]
        for record in [*ledger.endings(), *running]:
            if record.counts:
                self._budget.begin()

    @property
    def budget(self) -> Budget:
        """The budget, after all trials that have ended."""
        for record in self._ledger.endings(self._seen):
            self._seen += 1
            if record.counts:
                complete = record.status == "complete"
                names = self._ledger.space.objectives
                self._budget.end(record.epoch, [record.metrics[name] for name in names] if complete else None)
        return self._budget

    def over(self) -> str | None:
        """Return the reason why no more trials begin; ``None`` while trials may begin or resume."""
        if self._interrupted:
            return None
        if self._exhausted:
            return f"the last {NEW_DRAWS} draws gave no new allowed config: the space is exhausted"
        return self.budget.over()

    def begin(self) -> Begun | None:
        """Open the next trial, if one can begin. Confirmations and interrupted trials ignore the budget."""
        if self._confirmations:
            return self._ledger.confirm(*self._confirmations.pop(0))
        if self._interrupted:
            return self._ledger.resume(self._interrupted.pop(0))
        if self.budget.waits():
            return None
        for _ in range(NEW_DRAWS):
            begun = self._ledger.draw()
            if begun is not None:
                self._budget.begin()
                return begun
        self._exhausted = True
        return None

    def confirm(self, number: int, seed: int) -> None:
        """Queue a confirmation: a complete trial trained again with another seed."""
        self._confirmations.append((number, seed))

    def put_back(self, number: int) -> None:
        """Queue a trial that its worker could not train; a second call for the same trial does nothing."""
        if number not in self._interrupted:
            self._ledger.release(number)
            self._interrupted.append(number)

    def give_up(self) -> list[int]:
        """Close the trials that were put back and not handed out again; return their numbers.

        The paper's settings stay, as they are trained to their end.
        """
        papers = [record.number for record in self._ledger.running() if record.paper]
        left = [number for number in self._interrupted if number not in papers]
        for number in left:
            self._interrupted.remove(number)
            self._ledger.resume(number)
            self._ledger.end(number, full_budget=False)
        return left

    def left_over(self) -> bool:
        """Return whether trials were put back and not handed out again."""
        return bool(self._interrupted)

    def waiting(self) -> int:
        """Return how many confirmations and trials that were put back are still to be handed out."""
        return len(self._confirmations) + len(self._interrupted)
