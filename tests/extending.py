"""The package of docs/extending.md, written into a folder outside the tree, as pip would install it."""

import re
import tomllib
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCK = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_package(folder: Path) -> dict[str, str]:
    """Write the files of the page, and the record of entry points that pip makes of its pyproject.toml.

    Returns:
        The texts by file name.
    """
    files = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "mypackage" / "__init__.py").touch()
    announce(folder, "mypackage", tomllib.loads(files["pyproject.toml"])["project"]["entry-points"])
    return files


def announce(folder: Path, package: str, groups: dict[str, dict[str, str]]) -> None:
    """Write a package's entry points, as pip records them."""
    record = folder / f"{package}-0.1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (record / "entry_points.txt").write_text("\n".join(lines) + "\n")
