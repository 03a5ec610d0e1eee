"""The exceptions that are no defect of the program: the input is wrong, a disk or a training has failed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Input that cannot be used: a file, a setting, a label.

    Its message is shown to the user as it stands, without a traceback, and the command exits with code 2.
    It says what was received, where (file, line, key) and what to do, in a line for each mistake.
    """

    @classmethod
    def of(cls, errors: Iterable["UserError"]) -> "UserError":
        """Make one error of several."""
        return cls("\n".join(dict.fromkeys(map(str, errors))))


class Mistakes:
    """Collects the errors of checks that do not depend on each other, to raise them as one."""

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def collected(self, *, last: bool = False) -> Iterator[None]:
        """Keep the error of a check, and go on after it.

        Args:
            last: Whether the checks to come depend on this one, so that its error ends them.
        """
        try:
            yield
        except UserError as error:
            self.found.append(error)
            if last:
                self.refuse()

    def refuse(self) -> None:
        """Raise what was collected, if anything was."""
        if self.found:
            raise UserError.of(self.found) from None


class StorageError(UserError):
    """A disk or a folder that failed while it was written to: it is full, gone, or broken.

    What the user asked for was right, so the command exits with code 1.
    """


class DivergedError(RuntimeError):
    """A loss is no longer finite; the message says which and when."""
