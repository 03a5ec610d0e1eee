"""Which trials a sampler has to look at again: a trial that has ended never changes."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial


class News:
    """Picks the trials that are new, or had not ended when it was last asked.

    A sampler that keeps what it learned of the others spends no more on a proposal after 10,000 trials than
    after 1,000.
    """

    def __init__(self) -> None:
        self._read = 0
        self._open: list[int] = []

    def of(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Pick from all trials of the study, by number."""
        news = [trials[number] for number in (*self._open, *range(self._read, len(trials)))]
        self._read = len(trials)
        self._open = [trial.number for trial in news if not trial.state.is_finished()]
        return news
