"""What comes with the program beside its code: the space files, in a clone and in an installed package."""

from pathlib import Path

from dcodr.errors import UserError
from dcodr.strict_yaml import did_you_mean

_PACKAGE = Path(__file__).parent
_CLONE = _PACKAGE.parent


def spaces() -> Path:
    """The folder of the space files: in the package where it was installed, beside it in a clone."""
    installed = _PACKAGE / "search_spaces"
    return installed if installed.is_dir() else _CLONE / "search_spaces"


def program() -> list[str]:
    """How to call the search's command line from where the program is."""
    return ["python", "tune.py"] if (_CLONE / "tune.py").is_file() else ["dcodr-tune"]


def space_path(given: str | Path) -> Path:
    """The space file that a path or the name of a shipped one means.

    Raises:
        UserError: If it is no file, but a word like the names of those that are shipped.
    """
    path = Path(given)
    if path.is_file() or str(given) != path.name or path.suffix:
        return path
    shipped = spaces() / f"{given}.yaml"
    if not shipped.is_file():
        names = sorted(file.stem for file in spaces().glob("*.yaml"))
        raise UserError(
            f"{given}: neither a file nor a space file that comes with the program"
            f"{did_you_mean(str(given), names)}"
        )
    return shipped
