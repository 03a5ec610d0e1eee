"""``python -m dcodr embed``, ``neighbours`` and ``map``: codes of new images, searched and drawn."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dcodr.console import printable, progress_bar, warn
from dcodr.errors import UserError
from dcodr.files import appearing, write_text

if TYPE_CHECKING:
    from dcodr.embeddings.neighbours import Neighbours
    from dcodr.embeddings.table import Embeddings

Device = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(help="Device; auto selects a GPU if there is one.")
]
EncoderName = Annotated[
    str,
    typer.Argument(
        metavar="ENCODER",
        help="Output folder of 'train', a checkpoint, a .safetensors file, or models:/SEARCH@knee.",
    ),
]
Codes = Annotated[Path, typer.Option("--in", help="The .parquet file of 'embed'.")]
ImageSize = Annotated[
    int | None,
    typer.Option(
        min=16, max=1024, help="Height and width to resize images to.", show_default="the training's"
    ),
]


def embed(
    encoder: EncoderName,
    images: Annotated[
        Path,
        typer.Option(help="Folder of images, CSV file with a column path, store (.h5), or an image."),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .parquet, .csv or .npy.")],
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that the paths in the CSV are relative to.", show_default="the CSV's own"),
    ] = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read, with a warning.")
    ] = False,
) -> None:
    """Compute the codes (embeddings) of images, prepared as the images of the training were."""
    from dcodr.embeddings.embedding import embed_images
    from dcodr.embeddings.sources import open_images
    from dcodr.embeddings.table import require_ending
    from dcodr.training.trained import load

    require_ending(out, "--out ")
    with Console(stderr=True).status("reading the encoder and the list of images"):
        loaded = load(encoder)
        source = open_images(images, root, warn=warn)
    # Absolute, so that `neighbours` finds the encoder from any folder.
    name = encoder if encoder.startswith("models:/") else str(Path(encoder).resolve())
    with progress_bar("embedding") as on_progress:
        table = embed_images(
            loaded,
            source,
            name,
            image_size=image_size,
            device=device,
            skip_unreadable=skip_unreadable,
            on_progress=on_progress,
            warn=warn,
        )
    for path in table.write(out):
        print(path)
    print(
        f"{len(table.codes)} codes of {table.codes.shape[1]} numbers, of images of {table.image_size} pixels"
    )


def neighbours(
    queries: Annotated[
        list[str], typer.Argument(metavar="QUERY", help="Names in the file of codes, or image files.")
    ],
    codes: Codes,
    out: Annotated[Path, typer.Option(help="Contact sheet to write, a PNG.")] = Path("neighbours.png"),
    top: Annotated[int, typer.Option(min=1, max=100, help="Neighbours of each query.")] = 7,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="The encoder of the codes, for image files that have none.",
            show_default="the path of 'embed'",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Find the images with the codes nearest to a query's, list them, and draw a contact sheet."""
    from dcodr.embeddings.neighbours import SIDE, of_rows, pictures, sheet
    from dcodr.embeddings.table import read_embeddings

    table = read_embeddings(codes)
    known = {query: _row(table, query) for query in queries}
    if new := [query for query, row in known.items() if row is None and not _is_image(Path(query))]:
        raise UserError(
            f"{new[0]}: neither a {table.key} in {codes}, e.g. {table.names[0]}, nor an image file"
        )
    if len(table.codes) < 2:
        raise UserError(f"{codes} has one code: there are no neighbours")
    found: dict[str, Neighbours] = {}
    images: dict[str, Any] = {}
    rows = [row for row in known.values() if row is not None]
    if rows:
        inside = [query for query, row in known.items() if row is not None]
        found |= dict(zip(inside, of_rows(table, rows, top), strict=True))
        images |= dict(zip(inside, pictures(table, rows, SIDE, warn), strict=True))
    if outside := [query for query, row in known.items() if row is None]:
        embedded = _outside(table, [Path(one) for one in outside], encoder or table.encoder, top, device)
        for query, (nearest, picture) in zip(outside, embedded, strict=True):
            found[query], images[query] = nearest, picture
    drawn = sheet(table, [found[query] for query in known], [images[query] for query in known], warn)
    with appearing(out) as temporary:
        drawn.save(temporary, format="PNG")
    console = Console()
    for query in known:
        console.print(_listed(table, found[query]))
    print(out)


def draw_map(
    codes: Annotated[Path, typer.Argument(metavar="CODES", help="The .parquet file of 'embed'.")],
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("map.html"),
    method: Annotated[
        Literal["pca", "umap"], typer.Option(help="UMAP keeps neighbours together; needs umap-learn.")
    ] = "pca",
) -> None:
    """Draw codes as points in the plane, on a page that colours them by any label and shows their images."""
    from dcodr.embeddings.map import positions, render_map
    from dcodr.embeddings.table import read_embeddings

    table = read_embeddings(codes)
    with Console(stderr=True).status("drawing the map"):
        placed = positions(table.codes, method)
        page = render_map(table, placed, f"{codes.name}: a map by {method.upper()}", warn)
    write_text(out, page)
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")


def _row(table: "Embeddings", query: str) -> int | None:
    """Return the position of a query in a table: by its name, or as the path of one of its files."""
    names = {name: row for row, name in enumerate(table.names)}
    if query in names:
        return names[query]
    path, folder = Path(query).resolve(), Path(table.images)
    if table.key != "path" or not path.is_relative_to(folder):
        return None
    return names.get(path.relative_to(folder).as_posix())


def _is_image(path: Path) -> bool:
    """Tell whether a file may be one image, not a list or store of them."""
    return path.is_file() and path.suffix.lower() not in (".csv", ".h5")


def _outside(
    table: "Embeddings", images: list[Path], encoder: str, top: int, device: Literal["auto", "cpu", "cuda"]
) -> "Iterator[tuple[Neighbours, Any]]":
    """Embed images that have no code, and find their neighbours; yield these with the image's picture."""
    import numpy as np

    from dcodr.embeddings.embedding import embed_images
    from dcodr.embeddings.neighbours import SIDE, of_codes
    from dcodr.embeddings.sources import open_images
    from dcodr.training.trained import load

    loaded = load(encoder)
    if table.encoder_fingerprint not in (None, loaded.fingerprint()):
        raise UserError(
            f"{encoder} has other weights than the encoder of these codes, and codes of two encoders cannot "
            "be compared: give that encoder with --encoder, or embed the images again"
        )
    for image in images:
        source = open_images(image, warn=warn)
        code = embed_images(loaded, source, encoder, image_size=table.image_size, device=device).codes
        if code.shape[1] != table.codes.shape[1]:
            raise UserError(
                f"{encoder} makes codes of {code.shape[1]} numbers, the table has {table.codes.shape[1]}: "
                "give the encoder that made the table with --encoder"
            )
        (shown,) = (one for chunk in source.read(np.arange(1), SIDE, table.fit) for one in chunk)
        yield of_codes(table, code, [str(image)], top)[0], shown


def _listed(table: "Embeddings", found: "Neighbours") -> Table:
    title = f"Nearest to {escape(printable(found.query))}"
    listed = Table("", *map(escape, table.columns), "similarity", title=title, title_justify="left", box=None)
    for place, (row, similarity) in enumerate(zip(found.rows, found.similarity, strict=True), start=1):
        cells = [escape(printable(column[row])) for column in table.columns.values()]
        listed.add_row(str(place), *cells, f"{similarity:.3f}")
    return listed
