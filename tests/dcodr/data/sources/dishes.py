"""A folder of four small images with labels, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dcodr.data.dataset import DatasetSpec, Images
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.labelled import Options

HEADER = "path,domain,colour,angle,x"
ROWS = [
    "a0.png,cup,red,90,0.5",
    "a1.png,cup,blue,0,1.5e1",
    "b0.png,bowl,red,180,-2",
    "b1.png,bowl,blue,90,3.",
]


def folder(tmp_path: Path, rows: list[str] | None = None, header: str = HEADER) -> Path:
    """Return a folder of four small images and a CSV file with these lines."""
    for index, name in enumerate(("a0", "a1", "b0", "b1")):
        Image.new("RGB", (20, 20), (10 * index, 0, 0)).save(tmp_path / f"{name}.png")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *(ROWS if rows is None else rows)]), encoding="utf-8")
    return path


def read_all(
    path: Path,
    name: str,
    root: Path | None = None,
    on_progress: Any = None,
    warn: Any = lambda message: None,
    **options: Any,
) -> tuple[DatasetSpec, Images, Any, dict[str, Any]]:
    """Return the result of ``read_folder`` with all images at once."""
    raw = read_folder(path, name, root, Options(**options), on_progress, warn=warn)
    spec, images, domain, attributes, *_ = raw
    return spec, np.concatenate([*images]), domain, dict(attributes)


def changed(row: int, old: str, new: str) -> list[str]:
    assert old in ROWS[row]
    return [*ROWS[:row], ROWS[row].replace(old, new), *ROWS[row + 1 :]]
