"""A map of codes: an HTML page with a point for each image, coloured by a label, shown at the pointer."""

import io
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcodr.data.sources.cells import NUMBER, class_names
from dcodr.embeddings.neighbours import pictures
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from dcodr.html import data_uri, render_page

Method = Literal["pca", "umap"]
TILE, PER_ROW = 48, 64
"""Side of a small image in pixels, and small images in a row of their sheet."""
MOST_IMAGES = 4000
"""Most images that a page holds; a map of more codes shows the images of an even choice of them."""
MOST_CLASSES = 24
"""Most classes with a colour each; a label of numbers with more has a scale, any other has none."""


def positions(codes: npt.NDArray[np.float32], method: Method, seed: int = 0) -> npt.NDArray[np.float64]:
    """Place codes in the plane.

    Args:
        codes: ``(n, d)`` codes, at least 3.
        method: ``pca`` for the two directions of largest variance; ``umap`` for UMAP with cosine distances
            (McInnes et al. 2018, arXiv 1802.03426), which keeps neighbours together.
        seed: Seed of UMAP.

    Returns:
        ``(n, 2)`` positions.

    Raises:
        UserError: If there are too few codes, or UMAP is not installed.
    """
    if len(codes) < 3:
        raise UserError(f"a map needs at least 3 codes; there are {len(codes)}")
    if method == "pca":
        from sklearn.decomposition import PCA

        placed: npt.NDArray[np.float64] = PCA(2, svd_solver="full").fit_transform(codes).astype(np.float64)
        return placed
    try:
        import umap
    except ImportError:
        raise UserError("UMAP is not installed: pip install umap-learn, or use --method pca") from None
    near = min(15, len(codes) - 1)
    found = umap.UMAP(metric="cosine", n_neighbors=near, random_state=seed).fit_transform(codes)
    return np.asarray(found, dtype=np.float64)


def render_map(
    table: Embeddings, placed: npt.NDArray[np.float64], title: str, warn: Callable[[str], object]
) -> str:
    """Render the page: HTML that needs no other file and no network.

    Args:
        table: The codes, with at least one label to colour by or none.
        placed: Their positions, see :func:`positions`.
        title: The heading.
        warn: See :func:`dcodr.embeddings.sources.open_images`.

    Raises:
        UserError: If an image is gone.
    """
    shown = np.unique(np.linspace(0, len(placed) - 1, min(len(placed), MOST_IMAGES)).round().astype(np.int64))
    labels = [name for name in table.columns if name != table.key]
    data = {
        "x": np.round(placed[:, 0], 4).tolist(),
        "y": np.round(placed[:, 1], 4).tolist(),
        "names": list(table.names),
        "labels": {name: _label(table.columns[name]) for name in labels},
        "tile": TILE,
        "perRow": PER_ROW,
        "shown": shown.tolist(),
    }
    return render_page(
        "dcodr.embeddings",
        "map",
        title,
        data,
        count=len(placed),
        images=len(shown),
        labels=labels,
        sheet=_sheet(pictures(table, shown.tolist(), TILE, warn)),
    )


def _label(cells: Sequence[str]) -> dict[str, Any]:
    """Return a label as classes and their ids, or as numbers, or as texts alone."""
    names = class_names(cells)
    if len(names) <= MOST_CLASSES:
        ids = {name: i for i, name in enumerate(names)}
        return {"classes": list(names), "ids": [ids[cell] for cell in cells]}
    if all(NUMBER.fullmatch(cell) for cell in names):
        return {"values": [float(cell) for cell in cells]}
    return {"texts": list(cells)}


def _sheet(images: Sequence[npt.NDArray[np.uint8]]) -> str:
    """Return all small images on one sheet, as a data URI."""
    rows = -(-len(images) // PER_ROW)
    sheet = Image.new("RGB", (PER_ROW * TILE, rows * TILE))
    for i, pixels in enumerate(images):
        image = Image.fromarray(np.asarray(pixels)).resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.paste(image, (i % PER_ROW * TILE, i // PER_ROW * TILE))
    file = io.BytesIO()
    sheet.save(file, format="JPEG", quality=82)
    return data_uri("image/jpeg", file.getvalue())
