"""Exceptions that are not defects of the program: wrong input, a failed disk, a failed training."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Unusable input, such as a file, a setting or a label.

    The user sees the message without a traceback, and the command exits with code 2. The message names the
    received value, its place (file, line, key) and a remedy, one line for each mistake.
    """

    @classmethod
    def of(cls, errors: Iterable["UserError"]) -> "UserError":
        """Combine several errors into one."""
        return cls("\n".join(dict.fromkeys(map(str, errors))))


class Mistakes:
    """A collection of errors from independent checks, raised as one."""

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def collected(self, *, last: bool = False) -> Iterator[None]:
        """Keep the error of a check, and continue after it.

        Args:
            last: True if later checks depend on this one, so that its error ends them.
        """
        try:
            yield
        except UserError as error:
            self.found.append(error)
            if last:
                self.refuse()

    def refuse(self) -> None:
        """Raise the collected errors, if any."""
        if self.found:
            raise UserError.of(self.found) from None


class StorageError(UserError):
    """A disk or a folder that failed during writing: it is full, gone, or broken.

    The user's input was right, so the command exits with code 1.
    """


class DivergedError(RuntimeError):
    """A loss that is no longer finite; the message names the loss and the epoch."""
