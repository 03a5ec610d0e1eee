"""A map of codes: an HTML page with a point for each image, coloured by a label, shown at the pointer."""

import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcodr.data.sources.cells import class_names, is_continuous
from dcodr.embeddings.neighbours import pictures
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from dcodr.html import data_uri, render_page
from dcodr.words import option

Method = Literal["pca", "umap"]
TILE, PER_ROW = 48, 64
"""Side of a small image in pixels, and small images in a row of their sheet."""
MOST_IMAGES = 4000
"""Most images that a page holds; a map of more codes shows the images of an even choice of them."""
MOST_CLASSES = 24
"""Most entries of a legend; of a label with more classes, the most frequent have colours, others are gray."""


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
        UserError: If there are too few codes, UMAP is not installed, or there is no such method.
    """
    if method not in get_args(Method):
        raise UserError(f"{option('method', method)}: should be one of {', '.join(get_args(Method))}")
    if len(codes) < 3:
        raise UserError(f"a map needs at least 3 codes; there are {len(codes)}")
    if method == "pca":
        from sklearn.decomposition import PCA

        placed: npt.NDArray[np.float64] = PCA(2, svd_solver="full").fit_transform(codes).astype(np.float64)
        return placed
    try:
        import umap
    except ImportError:
        advice = f"pip install umap-learn, or use {option('method', 'pca')}"
        raise UserError(f"UMAP is not installed: {advice}") from None
    near = min(15, len(codes) - 1)
    # UMAP's spectral start needs two codes more than the map has dimensions.
    start = "spectral" if len(codes) > 3 else "random"
    found = umap.UMAP(metric="cosine", n_neighbors=near, init=start, random_state=seed).fit_transform(codes)
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
    """Return a continuous label as numbers, any other as classes, with their ids and which have colours."""
    if is_continuous(cells) and all(math.isfinite(float(cell)) for cell in cells):
        return {"values": [float(cell) for cell in cells]}
    names = class_names(cells)
    ids = {name: i for i, name in enumerate(names)}
    colored = list(range(len(names)))
    if len(names) > MOST_CLASSES:
        # A single image does not show where its class lies.
        frequent = [name for name, count in Counter(cells).most_common(MOST_CLASSES - 1) if count > 1]
        colored = sorted(ids[name] for name in frequent)
    return {"classes": list(names), "ids": [ids[cell] for cell in cells], "colored": colored}


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
