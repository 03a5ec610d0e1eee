"""The mistakes in a file, told together."""

from collections.abc import Iterator
from contextlib import contextmanager

from dcodr.errors import UserError


class Mistakes:
    """A collection of errors from independent checks, raised as one.

    Attributes:
        found: The errors so far.
        independent: Errors of checks that depend on nothing, which are told even if other errors prevent
            those checks from being reached.
    """

    def __init__(self) -> None:
        self.found: list[UserError] = []
        self.independent: list[UserError] = []

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
            raise UserError.of([*self.found, *self.independent]) from None
