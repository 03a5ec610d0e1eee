"""The space files that come with the program, in a clone and in an installed package."""

from pathlib import Path

from dcodr.errors import UserError
from dcodr.files import shipped
from dcodr.strict_yaml import did_you_mean

_PACKAGE = Path(__file__).parents[1]
SPACES = shipped(_PACKAGE, "search_spaces")
"""The folder of the space files."""


def program() -> list[str]:
    """Return the words that call the search's command line, in a clone or in an installed package."""
    return ["python", "tune.py"] if (_PACKAGE.parent / "tune.py").is_file() else ["dcodr-tune"]


def space_path(given: str | Path) -> Path:
    """Return the space file of a path or of the name of a shipped file.

    Raises:
        UserError: If a name without folder and ending is neither a file nor a shipped one, or is none that a
            file can have.
    """
    path = Path(given)
    try:
        there = path.is_file()
    except OSError as error:  # e.g. a name that is too long
        raise UserError(f"{given}: cannot be read: {error.strerror}") from None
    if there or str(given) != path.name or path.suffix:
        return path
    found = SPACES / f"{given}.yaml"
    if not found.is_file():
        names = sorted(file.stem for file in SPACES.glob("*.yaml"))
        raise UserError(
            f"{given}: neither a file nor a space file that comes with the program"
            f"{did_you_mean(str(given), names)}"
        )
    return found
