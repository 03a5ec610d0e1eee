"""Selection of the trials that a sampler has to read again: a trial that has ended never changes."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial


class News:
    """Picks the trials that are new, or had not ended at the last call.

    A sampler that remembers the other trials spends no more time on a proposal after 10,000 trials than after
    1,000.
    """

    def __init__(self) -> None:
        self._read = 0
        self._open: list[int] = []

    def of(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Pick trials from all trials of the study, which are ordered by number."""
        news = [trials[number] for number in (*self._open, *range(self._read, len(trials)))]
        self._read = len(trials)
        self._open = [trial.number for trial in news if not trial.state.is_finished()]
        return news
