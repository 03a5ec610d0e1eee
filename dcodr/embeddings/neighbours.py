"""The images with the nearest codes to a query, as a list and as a contact sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from dcodr.data.sheet import BACKGROUND, GAP, MARGIN, below, beside, text
from dcodr.embeddings.sources import reopen
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from dcodr.evaluation.retrieval import nearest_in, nearest_neighbours
from dcodr.words import counted, option

SIDE = 112
"""Width and height of the images on a sheet, in pixels."""


@dataclass(frozen=True)
class Neighbours:
    """A query and the images with the nearest codes.

    Attributes:
        query: Name of the query.
        rows: Positions of the neighbours in the table, the nearest first.
        similarity: Cosine similarity of each neighbour's code to the query's.
    """

    query: str
    rows: Sequence[int]
    similarity: Sequence[float]


def of_rows(table: Embeddings, rows: Sequence[int], top: int) -> list[Neighbours]:
    """Find the nearest codes to codes of a table, which are not their own neighbours.

    Args:
        table: The codes.
        rows: Positions of the queries in the table.
        top: Number of neighbours of each; fewer if the table is small.

    Raises:
        UserError: If there is no such row, or ``top`` is not positive.
    """
    if outside := [row for row in rows if not 0 <= row < len(table.codes)]:
        raise UserError(f"there is no row {outside[0]}: the table has rows 0 to {len(table.codes) - 1}")
    _require_positive(top)
    queries = torch.tensor(list(rows), dtype=torch.int64)
    found = nearest_neighbours(torch.from_numpy(table.codes), queries, top).numpy()
    names = [table.names[row] for row in rows]
    return _listed(table, names, table.codes[list(rows)], found)


def of_codes(
    table: Embeddings, codes: npt.NDArray[np.float32], names: Sequence[str], top: int
) -> list[Neighbours]:
    """Find the nearest codes to codes that are not in a table.

    Args:
        table: The codes that are searched.
        codes: ``(Q, d)`` codes of the queries.
        names: Names of the queries.
        top: Number of neighbours of each; fewer if the table is small.

    Raises:
        UserError: If the codes have another width than the table's, or ``top`` is not positive.
    """
    if codes.ndim != 2 or codes.shape[1] != table.codes.shape[1]:
        raise UserError(
            f"codes of shape {codes.shape}: should have {table.codes.shape[1]} numbers each, as in the table"
        )
    _require_positive(top)
    found = nearest_in(torch.from_numpy(table.codes), torch.from_numpy(codes), top).numpy()
    return _listed(table, names, codes, found)


def sheet(
    table: Embeddings,
    found: Sequence[Neighbours],
    queries: Sequence[npt.NDArray[np.uint8]],
    warn: Callable[[str], object],
) -> Image.Image:
    """Draw each query on the left of a row, and its neighbours to the right with their similarity.

    Args:
        table: The codes that were searched.
        found: The neighbours.
        queries: The image ``(H, H, 3)`` of each query.
        warn: See :func:`dcodr.embeddings.sources.open_images`.

    Raises:
        UserError: If an image of a neighbour is gone.
    """
    shown = sorted({row for one in found for row in one.rows})
    images = dict(zip(shown, pictures(table, shown, SIDE, warn), strict=True))
    rows = []
    for one, query in zip(found, queries, strict=True):
        cells = [below([_cell(query), text("query", 12, SIDE)], gap=2)]
        for row, similarity in zip(one.rows, one.similarity, strict=True):
            cells.append(below([_cell(images[row]), text(f"{similarity:.3f}", 12, SIDE)], gap=2))
        strip = beside(cells)
        rows.append(below([text(one.query, 13, strip.width), strip], gap=2))
    title = text("The images with the nearest codes, and their cosine similarity", 16, rows[0].width)
    return ImageOps.expand(below([title, *rows], gap=GAP), MARGIN, BACKGROUND)


def pictures(
    table: Embeddings, rows: Sequence[int], size: int, warn: Callable[[str], object]
) -> list[npt.NDArray[np.uint8]]:
    """Return images of a table, ``(size, size, 3)`` each, or of their own size if a store holds them.

    Raises:
        UserError: If an image is gone, or the store is gone or another one.
    """
    source = reopen(table, warn=warn)
    _warn_of_changed(table, rows, warn)
    own = table.image_size if table.key == "row" else size
    return [image for chunk in source.read(np.array(rows, dtype=np.int64), own, table.fit) for image in chunk]


def _warn_of_changed(table: Embeddings, rows: Sequence[int], warn: Callable[[str], object]) -> None:
    """Warn of image files that are newer than the file of their codes."""
    if table.key == "row" or table.written is None:
        return
    files = [Path(table.images) / table.names[row] for row in rows]
    newer = [file for file in files if file.is_file() and file.stat().st_mtime > table.written]
    if newer:
        warn(
            f"{counted(len(newer), 'image')} changed after the codes were written, e.g. {newer[0]}: what is "
            "shown may not be what was embedded; embed the images again"
        )


def _require_positive(top: int) -> None:
    if top < 1:
        raise UserError(f"{option('top', top)}: should be at least 1")


def _listed(
    table: Embeddings,
    names: Sequence[str],
    codes: npt.NDArray[np.float32],
    found: npt.NDArray[np.int64],
) -> list[Neighbours]:
    similarity = np.einsum("qd,qkd->qk", codes, table.codes[found])
    return [
        Neighbours(name, rows.tolist(), values.tolist())
        for name, rows, values in zip(names, found, similarity, strict=True)
    ]


def _cell(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.asarray(pixels)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
