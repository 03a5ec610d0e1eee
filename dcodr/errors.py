"""Exceptions that are not defects of the program: wrong input, a failed disk, a failed training."""

from collections.abc import Iterable


class UserError(ValueError):
    """Unusable input, such as a file, a setting or a label.

    The user sees the message without a traceback, and the command exits with code 2. The message names the
    received value, its place (file, line, key) and a remedy, one line for each mistake.
    """

    @classmethod
    def of(cls, errors: Iterable["UserError"]) -> "UserError":
        """Combine several errors into one, which names each mistake once."""
        return cls("\n".join(dict.fromkeys(line for error in errors for line in str(error).splitlines())))


class StorageError(UserError):
    """A disk or a folder that failed during writing: it is full, gone, or broken.

    The user's input was right, so the command exits with code 1.
    """


class DivergedError(RuntimeError):
    """A loss that is no longer finite; the message names the loss and the epoch."""
