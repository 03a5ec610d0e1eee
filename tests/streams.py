"""Streams that a terminal or a pipe may be."""

import io


class Broken(io.StringIO):
    """A stream that raises whatever is done with it.

    Args:
        error: What it raises.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Raise."""
        raise self.error

    def flush(self) -> None:
        """Raise."""
        raise self.error

    def isatty(self) -> bool:
        """Raise."""
        raise self.error
