"""The budget of a search: trials, epochs, the front's hypervolume and its growth."""

from collections.abc import Sequence

from dcodr.words import counted
from tuning.pareto import Direction, GrowingFront
from tuning.space.settings import SearchSettings


class Budget:
    """Trials and epochs that a search has spent, and the hypervolume that it has reached.

    ``history`` holds the front's hypervolume at the beginning and after each trial that ended. ``epochs`` are
    those of a trial that is not stopped early.
    """

    def __init__(
        self,
        settings: SearchSettings,
        epochs: int,
        directions: Sequence[Direction],
        reference: Sequence[float],
    ) -> None:
        self.trials = 0
        self.spent = 0
        self._settings = settings
        self._epochs = epochs
        self._running = 0
        self._front = GrowingFront(reference, directions)
        self._stalled: str | None = None
        self.history = [0.0]

    @property
    def hypervolume(self) -> float:
        """The front's hypervolume."""
        return self._front.hypervolume

    def begin(self) -> None:
        """Count a trial that begins."""
        self.trials += 1
        self._running += 1

    def end(self, epochs: int, objectives: Sequence[float] | None) -> None:
        """Count a trial that has ended, with its objectives if it is complete."""
        self._running -= 1
        self.spent += epochs
        if objectives is not None:
            self._front.add(objectives)
        self.history.append(self.hypervolume)
        # A stall stays one, although the front may grow when the trials that still run have ended.
        self._stalled = self._stalled or self._stall()

    def over(self) -> str | None:
        """Return the reason why no more trials begin; ``None`` while trials may begin."""
        limits = self._settings
        if self.trials >= limits.trials:
            return f"all {self.trials} trials are done" if self.trials > 1 else "the only trial is done"
        # A trial begins only if its full training fits, although the trial may be stopped early.
        if limits.epoch_budget is not None and self.spent + self._epochs > limits.epoch_budget:
            epochs = counted(limits.epoch_budget, "epoch")
            return f"{self.spent} of {epochs} are spent, too many for another trial"
        if limits.target_hypervolume is not None and self.hypervolume >= limits.target_hypervolume:
            return f"the hypervolume {self.hypervolume:.4f} has reached {limits.target_hypervolume:g}"
        return self._stalled

    def _stall(self) -> str | None:
        """Return how the search has stalled; ``None`` if it has not."""
        stall = self._settings.stall
        if stall is None or len(self.history) <= stall.trials:
            return None
        enough = self.history[-1 - stall.trials] * (1 + stall.growth)
        if self.hypervolume >= enough and self.hypervolume > 0:
            return None
        trials = counted(stall.trials, "trial")
        return f"the hypervolume has grown by less than {stall.growth:.1%} in {trials}"

    def waits(self) -> bool:
        """Return whether running trials may need all epochs that are left."""
        promised = self.spent + (self._running + 1) * self._epochs
        return self._settings.epoch_budget is not None and promised > self._settings.epoch_budget
