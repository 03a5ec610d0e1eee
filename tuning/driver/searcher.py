"""Ray Tune's ``Searcher`` over the queue: Tune asks it for the next trial."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from dcodr.config import with_absolute_paths
from tuning.driver.protocol import Assignment
from tuning.interrupts import undisturbed
from tuning.ledger.queue import Queue
from tuning.ledger.trials import checkpoint_of, kept_of
from tuning.space import Space


class LedgerSearcher(Searcher):
    """Hand Tune the trials that the queue begins.

    :class:`tuning.driver.recorder.Recorder` writes their results to the ledger. Tune saves no state of this
    class: the ledger is the durable record, and a resumed search opens it again. ``over`` returns the reason
    why no more trials begin. Every worker can write to the absolute ``folder``.
    """

    def __init__(self, queue: Queue, space: Space, over: Callable[[], str | None], folder: Path) -> None:
        super().__init__()
        self._queue = queue
        self._space = space
        self._over = over
        self._folder = folder

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles its configuration, and the search's state does not belong there."""
        return {}

    @undisturbed()
    def suggest(self, trial_id: str) -> Any:
        """Return the assignment of the next trial as a dictionary; ``None`` asks Tune to come again later."""
        if self._over() is not None:
            return Searcher.FINISHED
        begun = self._queue.begin()
        if begun is None:
            return None
        search = self._space.search
        config = with_absolute_paths(begun.config)
        if begun.confirms is not None:
            # A confirmation is never stopped early, so only its end needs an evaluation.
            config = config.model_copy(update={"evaluate_every": config.epochs})
        grace_period = search.scheduler.grace_period if search.scheduler else 1
        to_the_end = begun.baseline or begun.confirms is not None
        return Assignment(
            number=begun.number,
            config=config.model_dump_json(),
            checkpoint=str(checkpoint_of(self._folder, begun.number)),
            kept=str(kept_of(self._folder, begun.number)),
            gpus=begun.gpus or self._space.resources.gpus_per_trial,
            floor=search.informativeness_floor,
            floor_from=config.epochs if to_the_end else grace_period,
            baseline=begun.baseline,
        ).to_dict()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the recorder closes the trial."""

    def save(self, checkpoint_path: str) -> None:
        """Write the empty state that Tune expects."""
        Path(checkpoint_path).write_text("{}", encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a resumed search opens the ledger again."""
